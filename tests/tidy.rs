//! The style of this crate, enforced by reading its text: layers, purity, sizes, words, leftovers.
//!
//! Each rule is a function from sources to violations and has two tests: one holds the tree to it,
//! the other plants a violation and demands that it is found.

mod tidy {
    mod documents;
    mod headers;
    mod layers;
    mod leftovers;
    mod limits;
    mod manifest;
    mod mutants;
    mod purity;
    mod sizes;
    mod source;
    mod surface;
    mod tests_read_well;
    mod tree;
    mod words;
}
