//! Everything that a reload can change: the options, the accounts and what is derived from them.
//!
//! A session keeps a reference to the settings that it read last, so each command runs with one consistent set. Before
//! each command the session checks for newer settings, which costs one atomic load.

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

/// The settings in effect.
pub struct Settings {
    /// The options.
    pub config: Config,
    /// Checks logins.
    pub authenticator: Authenticator,
    /// The ports of `--passive-ports`. Shared with earlier settings, so that ports that are already bound remain bound
    /// when the range changes.
    ports: Arc<PassivePorts>,
    /// The addresses of `--passive-address`.
    pub passive_addresses: Arc<PassiveAddresses>,
    /// The addresses of `--proxy-protocol`.
    pub balancers: Arc<Balancers>,
    /// The certificate of `--tls-cert`, if TLS is enabled.
    pub tls: Option<Arc<TlsContext>>,
}

impl Settings {
    /// Returns the ports of `--passive-ports`, if that option is set.
    pub fn ports(&self) -> Option<&PassivePorts> {
        self.config.passive_ports.as_ref().map(|_| self.ports.as_ref())
    }
}

/// Settings that have been checked but are not in effect yet. Preparing them reads files and resolves names but changes
/// nothing; [`PreparedSettings::apply`] applies them.
pub struct PreparedSettings {
    config: Config,
    authenticator: PreparedAuthenticator,
    ports: Arc<PassivePorts>,
    passive_addresses: Arc<PassiveAddresses>,
    balancers: Arc<Balancers>,
    tls: Option<Arc<TlsContext>>,
}

impl PreparedSettings {
    /// Prepares the settings at the start of the server; all must be valid. Only a host name of `--passive-address` may
    /// be unresolvable, because the name server may start later.
    ///
    /// # Errors
    /// Returns the file or address that cannot be used, and why.
    pub fn initial(config: Config) -> Result<PreparedSettings, StartError> {
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

    /// Prepares the settings of a reload, and returns the errors. Settings that cannot be used keep their previous
    /// values.
    ///
    /// Options that need a restart, such as the listening address, also keep their values.
    pub fn reloaded(before: &Settings, mut config: Config) -> (PreparedSettings, Vec<StartError>) {
        let mut problems = config.keep_restart_only(&before.config);
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

    /// Returns the options, to reset those that cannot be applied.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Applies quotas and passive ports, and returns the settings for the sessions.
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

/// The settings in effect, which a reload replaces.
pub struct CurrentSettings {
    settings: RwLock<Arc<Settings>>,
    /// The number of replacements so far.
    generation: AtomicU64,
}

impl CurrentSettings {
    /// Applies the first settings.
    pub fn new(settings: Settings) -> CurrentSettings {
        CurrentSettings { settings: RwLock::new(Arc::new(settings)), generation: AtomicU64::new(0) }
    }

    /// Returns the settings in effect.
    pub fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the number of replacements so far; a session with a lower number has old settings.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Applies new settings.
    pub fn replace(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.generation.fetch_add(1, Ordering::Release);
    }
}
