//! A distribution from an index, downloaded by pip.
use crate::collector::Collector;
use gilaudit_model::Target;

pub(crate) fn collect(_collector: &mut Collector, _name: &str, _version: Option<&str>, _target: Option<&Target>) {}
