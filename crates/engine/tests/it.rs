//! The engine on a real store.

mod it {
    mod lifecycle;
    mod recovery;
    mod support;
}
