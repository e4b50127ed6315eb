//! Which requests go wrong, and how.

use std::{fmt, sync::Arc, time::Duration};

use serde_json::Value;

use crate::{RequestInfo, Verb};

type Predicate = Arc<dyn Fn(&RequestInfo) -> bool + Send + Sync>;
type ObjectPredicate = Arc<dyn Fn(&Value) -> bool + Send + Sync>;
pub(crate) type Rewrite = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// Names a rule, to take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleId(pub(crate) u64);

/// Requests and what happens to them. Made by [`Rule::on`], narrowed, and ended by naming the fault.
#[derive(Clone)]
pub struct Rule {
    verbs: Vec<Verb>,
    resource: String,
    name: Option<String>,
    namespace: Option<String>,
    predicate: Option<Predicate>,
    object: Option<ObjectPredicate>,
    pub(crate) remaining: Option<usize>,
    pub(crate) fault: Fault,
}

/// What goes wrong.
#[derive(Clone)]
pub(crate) enum Fault {
    None,
    Delay(Duration),
    Refuse { code: u16, message: String },
    ExpireWatch,
    LoseReply,
    AnswerInstead(u16),
    EmptyList,
    StaleList,
    Rewrite(Rewrite),
    FreezeEvents,
    DropEvents,
    CutMidFrame,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("verbs", &self.verbs)
            .field("resource", &self.resource)
            .field("name", &self.name)
            .field("remaining", &self.remaining)
            .finish_non_exhaustive()
    }
}

impl Rule {
    /// Requests with this verb for this resource (plural; `*` for all).
    pub fn on(verb: Verb, resource: &str) -> Self {
        Self::on_any(&[verb], resource)
    }

    /// Requests with one of these verbs; none means all.
    pub fn on_any(verbs: &[Verb], resource: &str) -> Self {
        Self {
            verbs: verbs.to_vec(),
            resource: resource.to_owned(),
            name: None,
            namespace: None,
            predicate: None,
            object: None,
            remaining: None,
            fault: Fault::None,
        }
    }

    /// Only for the object of this name.
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Only in this namespace.
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Only for requests that satisfy this.
    pub fn when(mut self, predicate: impl Fn(&RequestInfo) -> bool + Send + Sync + 'static) -> Self {
        self.predicate = Some(Arc::new(predicate));
        self
    }

    /// In lists and watches, only for objects that satisfy this.
    pub fn objects(mut self, predicate: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        self.object = Some(Arc::new(predicate));
        self
    }

    /// Only the first `count` times.
    pub fn times(mut self, count: usize) -> Self {
        self.remaining = Some(count);
        self
    }

    /// The request waits before it is forwarded.
    pub fn delay(self, wait: Duration) -> Self {
        self.with(Fault::Delay(wait))
    }

    /// The request is not forwarded; the client gets this code with the body that belongs to it.
    pub fn refuse(self, code: u16, message: &str) -> Self {
        self.with(Fault::Refuse {
            code,
            message: message.to_owned(),
        })
    }

    /// Watches begin and at once say that their resource version is too old, as the API server does; the client has
    /// to list again.
    pub fn expire_watch(self) -> Self {
        self.with(Fault::ExpireWatch)
    }

    /// The request takes effect and the connection is closed without an answer.
    pub fn lose_reply(self) -> Self {
        self.with(Fault::LoseReply)
    }

    /// The request takes effect and the client is told another code.
    pub fn answer_instead(self, code: u16) -> Self {
        self.with(Fault::AnswerInstead(code))
    }

    /// Lists come back without their objects (those that [`Rule::objects`] names, if it was given).
    pub fn empty_list(self) -> Self {
        self.with(Fault::EmptyList)
    }

    /// Lists come back as they were the first time this rule met them.
    pub fn stale_list(self) -> Self {
        self.with(Fault::StaleList)
    }

    /// Objects in lists and watches, and single ones that are read, come back changed.
    pub fn rewrite(self, rewrite: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.with(Fault::Rewrite(Arc::new(rewrite)))
    }

    /// Events of watches wait until the rule is taken back.
    pub fn freeze_events(self) -> Self {
        self.with(Fault::FreezeEvents)
    }

    /// Events of watches never arrive.
    pub fn drop_events(self) -> Self {
        self.with(Fault::DropEvents)
    }

    /// Watches are cut in the middle of their next event.
    pub fn cut_mid_frame(self) -> Self {
        self.with(Fault::CutMidFrame)
    }

    fn with(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    pub(crate) fn concerns(&self, request: &RequestInfo) -> bool {
        (self.verbs.is_empty() || self.verbs.contains(&request.verb))
            && (self.resource == "*" || self.resource == request.resource)
            && self.name.as_ref().is_none_or(|n| request.name.as_ref() == Some(n))
            && self
                .namespace
                .as_ref()
                .is_none_or(|n| request.namespace.as_ref() == Some(n))
            && self.predicate.as_ref().is_none_or(|p| p(request))
    }

    pub(crate) fn concerns_object(&self, object: &Value) -> bool {
        self.object.as_ref().is_none_or(|p| p(object))
    }

    /// Whether the fault is met event by event and not request by request.
    pub(crate) fn is_about_events(&self) -> bool {
        matches!(self.fault, Fault::FreezeEvents | Fault::DropEvents | Fault::CutMidFrame)
    }
}
