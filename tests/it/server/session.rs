//! The control connection: logging in, command lines, replies, and what each verb allows.

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
