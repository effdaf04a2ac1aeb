//! Local selection, diff, plan, state on the host, apply, report.
