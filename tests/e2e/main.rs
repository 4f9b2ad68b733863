//! The whole program, as its users run it: the real binary against a pretend Temps, over real sockets, in real time.

mod attacks;
mod commands;
mod crash;
mod scenarios;
mod stage;
