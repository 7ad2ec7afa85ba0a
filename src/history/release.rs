//! One wheel on an index: what matters of it is fetched, and audited as any other.

use std::collections::BTreeSet;
use std::sync::Arc;

use gilaudit_audit::{Settings, audit};
use gilaudit_index::{File, Limits, RemoteFile};
use gilaudit_input::{RemoteWheel, collect_remote, is_read_of_a_wheel};
use gilaudit_model::{Origin, Target};

use super::online::Online;
use super::{Cost, Module, WheelFacts};
use crate::policies;

/// A wheel as far as it was fetched.
pub(crate) enum Fetched {
    /// It is in the cache.
    Known(WheelFacts),
    /// What matters of it is at hand.
    Remote(Arc<RemoteFile>),
}

/// Fetches what matters of a wheel, unless the cache has it. The error is why it could not be read.
pub(crate) fn fetch(online: &Online, file: &File, target: &Target) -> Result<Fetched, String> {
    if let Some(facts) = online.cache.get(file, target) {
        return Ok(Fetched::Known(facts));
    }
    let remote = online.client.open(file, Limits::default()).map_err(|error| error.to_string())?;
    remote.prefetch_members(is_read_of_a_wheel).map_err(|error| error.to_string())?;
    Ok(Fetched::Remote(Arc::new(remote)))
}

/// Audits a wheel that was fetched. One at a time: an audit uses all processors itself.
pub(crate) fn read(
    online: &Online,
    file: &File,
    target: &Target,
    fetched: Fetched,
) -> Result<(WheelFacts, Cost), String> {
    let remote = match fetched {
        Fetched::Known(facts) => return Ok((facts, Cost { cached: true, ..Cost::default() })),
        Fetched::Remote(remote) => remote,
    };
    let origin = Origin::path(file.name.clone());
    let policy = policies::load(policies::DEFAULT).map_err(|rejected| rejected.error.to_string())?;
    let settings = Settings { rules: BTreeSet::new(), ..Settings::new(policy) };
    let (bytes, at_hand) = (Arc::clone(&remote), remote.traffic().whole);
    let wheel = RemoteWheel { origin, size: remote.size(), at_hand, bytes };
    let inventory = collect_remote(wheel, &settings.input_limits);
    let answers = audit(&inventory, &settings, target, &|| {});
    let requires = inventory.wheel_requirements().to_vec();
    drop(inventory);
    let traffic = remote.traffic();
    let mut facts = WheelFacts { layout_checked: at_hand, sha256: remote.sha256(), requires, ..WheelFacts::default() };
    for judged in &answers.extensions {
        let (extension, decision) = (&judged.extension, &judged.decision);
        let path = extension.origin.parts().get(1..).unwrap_or_default().join("!");
        facts.modules.push(Module {
            name: extension.module.clone(),
            path,
            sha256: extension.sha256.clone(),
            declaration: extension.declaration.status.as_str().to_owned(),
            outcome: decision.outcome.as_str().to_owned(),
            because: decision.because.first().cloned().unwrap_or_default(),
        });
    }
    facts.modules.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    facts.unread =
        answers.problems.iter().filter(|it| it.unread).map(|it| format!("{}: {}", it.origin, it.error)).collect();
    facts.unread.sort();
    if let (Some(claimed), Some(sha256)) = (&file.claimed_sha256, &facts.sha256)
        && claimed != sha256
    {
        return Err(format!("{}: its SHA-256 is not the one that the index claims", file.name));
    }
    // What could not be read today may be read tomorrow.
    if facts.unread.is_empty() {
        online.cache.put(file, target, &facts);
    }
    Ok((facts, Cost { requests: traffic.requests, bytes: traffic.bytes, cached: false }))
}
