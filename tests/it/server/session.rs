//! The control connection: login, command lines, replies, and the permissions of each verb.

mod access;
mod accounts;
mod brute_force;
mod command_state;
mod control_line;
mod extensions;
mod known_clients;
mod login;
mod panic;
mod password_checks;
mod replies;
mod telnet;
mod tls;
