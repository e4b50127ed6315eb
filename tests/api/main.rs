//! The control-plane API as its clients meet it: the program that is shipped, over a socket, on a real database.

mod audit;
mod documents;
mod flush;
mod identity;
mod jobs;
mod logins;
mod logs;
mod metrics;
mod once;
mod paging;
mod pool;
mod serving;
