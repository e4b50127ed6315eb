//! The schemas of our kinds, without a cluster.
