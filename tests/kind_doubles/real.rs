//! The real kind over a double of docker; runs where there is a kind binary.
