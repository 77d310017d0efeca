//! What may change while the server runs: the options, the accounts and what is made from them.
//!
//! A session holds what was in force when it last looked, so a command is carried out by one set
//! from its beginning to its end. Before each command it asks whether there is a newer one,
//! which costs a look at one number.

use crate::server::StartError;
use crate::server::accounts::Accounts;
use crate::server::auth::authenticator::{Authenticator, PreparedAuthenticator};
use crate::server::config::Config;
use crate::server::data::passive_address::PassiveAddresses;
use crate::server::data::passive_ports::PassivePorts;
use crate::server::fs::served_tree::ServedTree;
use crate::server::proxy::Balancers;
use crate::server::tls;
use crate::sys::TlsContext;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The settings in force.
pub struct Settings {
    /// The options.
    pub config: Config,
    /// Who may log in.
    pub authenticator: Authenticator,
    /// The ports of `--passive-ports`, the same ones for good: what is bound stays bound, or a later
    /// range could not have it.
    ports: Arc<PassivePorts>,
    /// The addresses of `--passive-address`.
    pub passive_addresses: Arc<PassiveAddresses>,
    /// The addresses of `--proxy-protocol`.
    pub balancers: Arc<Balancers>,
    /// What `--tls-cert` offers.
    pub tls: Option<Arc<TlsContext>>,
}

impl Settings {
    /// The ports of `--passive-ports`, if there is such a range.
    pub fn ports(&self) -> Option<&PassivePorts> {
        self.config.passive_ports.as_ref().map(|_| self.ports.as_ref())
    }
}

/// Settings that are checked and not in force yet. To prepare them reads files and looks up names,
/// and changes nothing; [`PreparedSettings::apply`] does.
pub struct PreparedSettings {
    config: Config,
    authenticator: PreparedAuthenticator,
    ports: Arc<PassivePorts>,
    passive_addresses: Arc<PassiveAddresses>,
    balancers: Arc<Balancers>,
    tls: Option<Arc<TlsContext>>,
}

impl PreparedSettings {
    /// The settings that a server starts with: all of them have to be right. A name of
    /// `--passive-address` alone may be found later, since name servers may come up after this one.
    ///
    /// # Errors
    /// Which file or address cannot be used, and why.
    pub fn first(config: Config) -> Result<PreparedSettings, StartError> {
        let failed = |error| StartError::Root(config.root.clone(), error);
        let tree = Arc::new(ServedTree::open(&config.root).map_err(failed)?);
        let accounts = accounts(&config)?;
        let (authenticator, opened) = PreparedAuthenticator::new(tree, config.anonymous, accounts);
        opened.map_err(failed)?;
        let ports = Arc::new(PassivePorts::new(config.passive_ports.clone()));
        let (passive_addresses, balancers) = (passive_addresses(&config)?, balancers(&config));
        let tls = tls::context(&config)?;
        Ok(PreparedSettings { config, authenticator, ports, passive_addresses, balancers, tls })
    }

    /// The settings after a reload, and what is wrong with them: what cannot be used stays as it was.
    ///
    /// The listener is held open, so it is the same as before.
    pub fn after(before: &Settings, mut config: Config) -> (PreparedSettings, Vec<StartError>) {
        let mut problems = config.keep_fixed(&before.config);
        let accounts = accounts(&config).unwrap_or_else(|problem| {
            problems.push(problem);
            before.authenticator.accounts.clone()
        });
        let found = passive_addresses(&config).and_then(|found| match found.unresolved().pop() {
            Some(error) => Err(StartError::PassiveAddress(error)),
            None => Ok(found),
        });
        let passive_addresses = found.unwrap_or_else(|problem| {
            problems.push(problem);
            Arc::clone(&before.passive_addresses)
        });
        let tree = Arc::clone(&before.authenticator.tree);
        let (authenticator, opened) = PreparedAuthenticator::new(tree, config.anonymous, accounts);
        problems.extend(opened.err().map(|error| StartError::Root(config.root.clone(), error)));
        let tls = tls::context(&config).unwrap_or_else(|problem| {
            problems.push(problem);
            config.tls_cert.clone_from(&before.config.tls_cert);
            config.tls_key.clone_from(&before.config.tls_key);
            before.tls.clone()
        });
        let (ports, balancers) = (Arc::clone(&before.ports), balancers(&config));
        let prepared =
            PreparedSettings { config, authenticator, ports, passive_addresses, balancers, tls };
        (prepared, problems)
    }

    /// The options.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The options, for what else cannot be applied and stays as it was.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Puts quotas and passive ports in force, and gives the settings for the sessions.
    pub fn apply(self) -> Settings {
        let PreparedSettings { config, authenticator, ports, passive_addresses, balancers, tls } =
            self;
        let authenticator = authenticator.apply();
        ports.set_range(config.passive_ports.clone());
        Settings { config, authenticator, ports, passive_addresses, balancers, tls }
    }
}

fn accounts(config: &Config) -> Result<Option<Arc<Accounts>>, StartError> {
    let accounts = config.users.as_deref().map(Accounts::read).transpose();
    Ok(accounts.map_err(StartError::Accounts)?.map(Arc::new))
}

fn passive_addresses(config: &Config) -> Result<Arc<PassiveAddresses>, StartError> {
    let passive_addresses = PassiveAddresses::new(&config.passive_address);
    Ok(Arc::new(passive_addresses.map_err(StartError::PassiveAddress)?))
}

fn balancers(config: &Config) -> Arc<Balancers> {
    Arc::new(Balancers::new(config.proxy_protocol.clone()))
}

/// The settings in force, which a reload replaces.
pub struct CurrentSettings {
    settings: RwLock<Arc<Settings>>,
    /// Counts the replacements.
    edition: AtomicU64,
}

impl CurrentSettings {
    /// Puts the first settings in force.
    pub fn new(settings: Settings) -> CurrentSettings {
        CurrentSettings { settings: RwLock::new(Arc::new(settings)), edition: AtomicU64::new(0) }
    }

    /// Returns the settings in force.
    pub fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the number of replacements so far; a session that has seen fewer is behind.
    pub fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// Puts new settings in force.
    pub fn replace(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.edition.fetch_add(1, Ordering::Release);
    }
}
