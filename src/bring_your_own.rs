//! Bring your own: an effect, a device, a machine, a rule, an optimiser.
//!
//! Whatever a stranger adds is one file. From outside the crate it implements a contract and is
//! handed to a [`Trainer`](crate::training::Trainer); inside it, one more line in a list gives it a
//! table in experiments and datasheets, validation, a name in errors and help, and a place in
//! reports and comparisons.
//!
//! # A learning rule
//! A rule settles a machine as often as it needs, compares, and hands back an
//! [`Estimate`](crate::learning::Estimate): a gradient, or the signal and the point of which the
//! machine forms its local product. Phases, contrasts of nudged phases and the mean over the
//! samples that settled are there to be used.
//!
//! ````rust,no_run
#![doc = include_str!("../examples/own_rule.rs")]
//! ````
//!
//! To be chosen as `learning.rule = "sixth-order"` it would have a table of its own, such as
//! [`AsymEpTable`](crate::learning::AsymEpTable), and a line in the list of
//! [`RuleChoice`](crate::learning::RuleChoice).
//!
//! # An optimiser
//! An optimiser says what happens to some numbers of a parameter. What it remembers of every number
//! it names; checkpoints carry it without knowing what it is.
//!
//! ````rust,no_run
#![doc = include_str!("../examples/own_optimiser.rs")]
//! ````
//!
//! The list is [`OptimiserChoice`](crate::training::optimiser::OptimiserChoice).
//!
//! # An effect
//! An imperfection of a device is a file that owns its table, its off-switch and its formula at
//! each stage of the light path or of the current path, and a line in the list of
//! [`SpimDevice`](crate::coupler::spim::SpimDevice) or
//! [`CrossbarDevice`](crate::coupler::crossbar::CrossbarDevice). Without a word of its own it is met
//! wherever its hooks are called, and no shortcut is taken while it is on;
//! [`followed_by`](crate::coupler::spim::Optic::followed_by) names those on which nothing of it is
//! lost. [`scale`](crate::coupler::Effect::scale) says what twice as much of it is, for error budgets
//! and tolerances. The laser's noise, as it stands in the crate:
//!
//! ````rust,ignore
#![doc = include_str!("coupler/spim/optics/laser.rs")]
//! ````
//!
//! # A device
//! A [`Coupler`](crate::coupler::Coupler) turns node values into currents, from either side, and
//! says what its parameters are, what a read resolves and costs, and what must be kept. Reads may
//! fail: real instruments do.
//!
//! ````rust,no_run
#![doc = include_str!("../examples/own_coupler.rs")]
//! ````
//!
//! A whole family of devices has a table, [`Family`](crate::coupler::Family), and a line in the list
//! of [`Device`](crate::experiment::Device).
//!
//! # A machine
//! A [`System`](crate::system::System) need not be an analog network. It settles in the phases that
//! it has and says of the others that it has not; its gradient may be formed in its own way, and its
//! yardstick is its own.
//!
//! ````rust,no_run
#![doc = include_str!("../examples/own_system.rs")]
//! ````
//!
//! The list of kinds of machines is [`Machine`](crate::experiment::Machine).
