//! Which targets may be asked.

use anyhow::Context;
use oblivious_http::gateway::{Origin, Rewrite, TargetPolicy, TargetRule};

use crate::settings::Settings;

/// The policy that the settings ask for. That there is none at all is an error: such a gateway
/// would be of no use.
pub(crate) fn policy(all: &Settings) -> anyhow::Result<TargetPolicy> {
    let settings = &all.targets;
    let mut policy = TargetPolicy::deny_all();
    let mut empty = true;
    let mut add = |rule: TargetRule| {
        policy = std::mem::take(&mut policy).allow(rule);
        empty = false;
    };
    for (texts, internal) in
        [(&settings.allow_target, false), (&settings.allow_internal_target, true)]
    {
        for text in texts {
            let rule: TargetRule = text.parse().with_context(|| {
                let prefix = if internal { "--allow-internal-target" } else { "--allow-target" };
                format!("{prefix} is wrong")
            })?;
            add(rule.internal(internal));
        }
    }
    for rule in &all.rule {
        let mut parsed: TargetRule =
            rule.target.parse().context("the target of a [[rule]] is wrong")?;
        for method in &rule.methods {
            parsed = parsed.method(method.parse().context("a method of a [[rule]] is wrong")?);
        }
        add(parsed.internal(rule.internal));
    }
    if settings.allow_any_target {
        add(TargetRule::any_https());
    }
    for text in &settings.rewrite {
        let (from, to) = text
            .split_once('=')
            .context("--rewrite must be HOST=ORIGIN, as in example.com=http://localhost:8080")?;
        let to: Origin = to.parse().context("the destination of --rewrite is wrong")?;
        policy = policy.rewrite(Rewrite::new(from, to).context("the host of --rewrite is wrong")?);
    }
    anyhow::ensure!(
        !empty,
        "no target is allowed: name each with --allow-target ORIGIN, or open the gateway to all \
         public https targets with --allow-any-target{}",
        if all.has_go_env() {
            "  (ALLOWED_TARGET_ORIGINS is not set, which here does not mean all targets)"
        } else {
            ""
        }
    );
    Ok(policy)
}
