//! Why a run gets no pod: for now, or for good.

use crds::sandbox_run::reason;

/// Why a run gets no pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The condition's reason.
    pub reason: &'static str,
    /// What is wrong and what to do about it.
    pub message: String,
    /// Whether the run is over: its spec cannot change, so what is wrong with it stays wrong.
    pub terminal: bool,
}

impl Refusal {
    /// The run waits until this changes.
    pub fn wait(reason: &'static str, message: String) -> Self {
        Self {
            reason,
            message,
            terminal: false,
        }
    }

    /// The spec asks for something that cannot be.
    pub fn invalid(message: String) -> Self {
        Self {
            reason: reason::INVALID_SPEC,
            message,
            terminal: true,
        }
    }

    /// The tenant is not set up.
    pub fn tenant_not_ready(message: &str) -> Self {
        Self::wait(reason::TENANT_NOT_READY, message.to_owned())
    }

    /// There is no template of that name.
    pub fn template_not_found(name: &str, built_in: &[String]) -> Self {
        let message = format!(
            "spec.template: there is no SandboxTemplate {name:?} in this namespace, and the built-in ones are {}; the run starts when there is one",
            if built_in.is_empty() {
                "none".to_owned()
            } else {
                built_in.join(", ")
            }
        );
        Self::wait(reason::TEMPLATE_NOT_FOUND, message)
    }

    /// Nobody asks.
    pub fn not_needed() -> Self {
        Self::wait(reason::PENDING, String::new())
    }
}

/// Reads the API server's answer to the creation of a pod. It says 403 for several things, so the text decides;
/// each case has a test against the real server.
pub fn of_create(code: u16, message: &str, runtime_class: Option<&str>) -> Option<Refusal> {
    if code == 403 && message.contains("exceeded quota") {
        return Some(Refusal::wait(
            reason::QUOTA_EXCEEDED,
            format!("the tenant's quota leaves no room; the run waits: {message}"),
        ));
    }
    if code == 403 && message.contains("PodSecurity") {
        return Some(Refusal {
            reason: reason::POD_SECURITY_VIOLATION,
            message: message.to_owned(),
            terminal: true,
        });
    }
    if code == 403 && message.contains("RuntimeClass") && message.contains("not found") {
        let name = runtime_class.unwrap_or_default();
        return Some(Refusal::wait(
            reason::RUNTIME_CLASS_NOT_FOUND,
            format!("the RuntimeClass {name:?} does not exist in this cluster; the run starts when it does"),
        ));
    }
    if (code == 403 || code == 404) && (message.contains("being terminated") || message.contains("namespaces \"")) {
        return Some(Refusal::tenant_not_ready("the namespace is being deleted"));
    }
    if code == 403 && message.contains("service account") {
        return Some(Refusal::tenant_not_ready(
            "the namespace's service account is not there yet",
        ));
    }
    if message.contains("pinfold-pods/user-namespace: ") {
        return Some(Refusal::wait(
            reason::USER_NAMESPACE_UNSUPPORTED,
            "the template demands a user namespace (hostUsers: false), which this cluster's API server does not know; \
             the run starts when it does"
                .to_owned(),
        ));
    }
    // An admission policy of the cluster (ours or another's), or a pod that the API server calls invalid. Our own
    // lack of rights also answers 403 but names the verb; that is not the run's fault and is tried again.
    if code == 422 || (code == 403 && !message.contains("cannot create resource")) {
        return Some(Refusal {
            reason: reason::POD_REFUSED,
            message: message.to_owned(),
            terminal: true,
        });
    }
    None
}
