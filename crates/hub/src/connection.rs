//! A connection to a Temporal server: made once, shared by workers and raw calls.
//!
//! C1  A lazy connection is made on first use; until the server answers, whoever uses it waits, and tries go on.
//! C2  Headers and API key given later count from the next call on, whether the connection stands or not.

use crate::error::{HubError, chain, decode};
use crate::proto;
use crate::runtime::Runtime;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use temporalio_client::{
    ClientKeepAliveOptions, ClientTlsOptions, Connection as CoreConnection, ConnectionOptions,
    DnsLoadBalancingOptions, GrpcCompression, HttpConnectProxyOptions, TlsOptions, Url,
    errors::ClientConnectError,
};
use tokio::sync::OnceCell;

const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_LONGEST: Duration = Duration::from_secs(10);

pub struct Connection {
    runtime: Arc<Runtime>,
    target: String,
    options: Mutex<ConnectionOptions>,
    core: OnceCell<CoreConnection>,
}

impl Connection {
    /// Connects, unless the options say that this can wait.
    /// `bytes`: an encoded perdure.core.v1.ConnectionOptions.
    pub async fn open(runtime: Arc<Runtime>, bytes: &[u8]) -> Result<Self, HubError> {
        let options: proto::ConnectionOptions = decode(bytes, "ConnectionOptions")?;
        let connection = Self {
            target: options.target_url.clone(),
            options: Mutex::new(core_options(&options, &runtime)?),
            runtime,
            core: OnceCell::new(),
        };
        if !options.lazy {
            connection
                .core
                .get_or_try_init(|| connection.connect())
                .await?;
        }
        Ok(connection)
    }

    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// The standing connection, if there is one.
    pub(crate) fn now(&self) -> Option<CoreConnection> {
        self.core.get().cloned()
    }

    /// One try (C1).
    pub(crate) async fn get(&self) -> Result<CoreConnection, HubError> {
        self.core.get_or_try_init(|| self.connect()).await.cloned()
    }

    /// Tries until it stands or `given_up` says so.
    pub(crate) async fn get_patiently(
        &self,
        given_up: impl Fn() -> bool,
    ) -> Result<CoreConnection, HubError> {
        let mut pause = RETRY_FIRST;
        loop {
            match self.get().await {
                Ok(connection) => return Ok(connection),
                Err(error) if given_up() => return Err(error),
                Err(error) => tracing::warn!(target: "perdure_hub", "{error}; trying again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_LONGEST);
        }
    }

    /// `bytes`: an encoded perdure.core.v1.ConnectionUpdate.
    pub fn update(&self, bytes: &[u8]) -> Result<(), HubError> {
        let update: proto::ConnectionUpdate = decode(bytes, "ConnectionUpdate")?;
        let mut options = self.options.lock().expect("no panic holds this lock");
        if let Some(headers) = update.headers {
            if let Some(core) = self.core.get() {
                let invalid = |cause| HubError::OptionsInvalid {
                    what: chain(&cause),
                };
                core.set_headers(headers.text.clone()).map_err(invalid)?;
                core.set_binary_headers(headers.binary.clone())
                    .map_err(invalid)?;
            }
            options.headers = Some(headers.text);
            options.binary_headers = Some(headers.binary);
        }
        if let Some(key) = update.api_key {
            let key = Some(key).filter(|key| !key.is_empty());
            if let Some(core) = self.core.get() {
                core.set_api_key(key.clone());
            }
            options.api_key = key;
        }
        Ok(())
    }

    async fn connect(&self) -> Result<CoreConnection, HubError> {
        let options = self
            .options
            .lock()
            .expect("no panic holds this lock")
            .clone();
        let limit = options.connect_timeout;
        let connecting = CoreConnection::connect(options);
        let failed = |cause: String| HubError::ConnectFailed {
            target: self.target.clone(),
            cause,
        };
        // The core limits the TCP and TLS part only; a peer that accepts and stays silent counts too.
        let result = match limit {
            Some(limit) => tokio::time::timeout(limit, connecting)
                .await
                .map_err(|_| failed(format!("no answer within {} ms", limit.as_millis())))?,
            None => connecting.await,
        };
        result.map_err(|error| match &error {
            ClientConnectError::SystemInfoCallError(status) => failed(format!(
                "the server answered {:?}: {}",
                status.code(),
                status.message()
            )),
            ClientConnectError::TonicTransportError(cause) => failed(chain(cause)),
            ClientConnectError::InvalidUri(_)
            | ClientConnectError::InvalidHeaders(_)
            | ClientConnectError::InvalidConfig(_) => HubError::OptionsInvalid {
                what: chain(&error),
            },
            _ => failed(chain(&error)),
        })
    }
}

fn core_options(
    options: &proto::ConnectionOptions,
    runtime: &Runtime,
) -> Result<ConnectionOptions, HubError> {
    let target = Url::parse(&options.target_url).map_err(|cause| HubError::OptionsInvalid {
        what: format!(
            "the address \"{}\" is not a URL: {cause}",
            options.target_url
        ),
    })?;
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let proxied = options.http_connect_proxy.is_some();
    Ok(ConnectionOptions::new(target)
        .identity(options.identity.clone())
        .client_name(options.client_name.clone())
        .client_version(options.client_version.clone())
        .maybe_metrics_meter(runtime.meter())
        .headers(options.headers.clone())
        .binary_headers(options.binary_headers.clone())
        .maybe_api_key(text(&options.api_key))
        .maybe_tls_options(options.tls.as_ref().map(tls).transpose()?)
        .maybe_connect_timeout(millis(options.connect_timeout_ms))
        .keep_alive(options.keep_alive.as_ref().map(|alive| {
            ClientKeepAliveOptions::builder()
                .interval(Duration::from_millis(alive.interval_ms))
                .timeout(Duration::from_millis(alive.timeout_ms))
                .build()
        }))
        .maybe_http_connect_proxy(options.http_connect_proxy.as_ref().map(|proxy| {
            HttpConnectProxyOptions::new(proxy.target_host.clone())
                .maybe_basic_auth(text(&proxy.username).map(|user| (user, proxy.password.clone())))
                .build()
        }))
        .dns_load_balancing(
            millis(options.dns_resolution_interval_ms)
                .filter(|_| !proxied)
                .map(|interval| {
                    DnsLoadBalancingOptions::builder()
                        .resolution_interval(interval)
                        .build()
                }),
        )
        .disable_error_code_metric_tags(options.disable_error_code_metric_tags)
        .grpc_compression(if options.gzip {
            GrpcCompression::Gzip
        } else {
            GrpcCompression::None
        })
        .build())
}

fn tls(options: &proto::TlsOptions) -> Result<TlsOptions, HubError> {
    let bytes = |bytes: &[u8]| Some(bytes.to_vec()).filter(|bytes| !bytes.is_empty());
    if options.client_cert.is_empty() != options.client_private_key.is_empty() {
        return Err(HubError::OptionsInvalid {
            what: "a client certificate and its private key are given together or not at all"
                .into(),
        });
    }
    let pair = bytes(&options.client_cert).zip(bytes(&options.client_private_key));
    Ok(TlsOptions::builder()
        .maybe_server_root_ca_cert(bytes(&options.server_root_ca_cert))
        .maybe_domain(Some(options.domain.clone()).filter(|domain| !domain.is_empty()))
        .maybe_client_tls_options(pair.map(|(cert, key)| {
            ClientTlsOptions::builder()
                .client_cert(cert)
                .client_private_key(key)
                .build()
        }))
        .build())
}

pub(crate) fn millis(value: u64) -> Option<Duration> {
    Some(value).filter(|ms| *ms > 0).map(Duration::from_millis)
}
