//! Definitions: versions are assigned, kept, and never change.

use super::support::*;
use crate::StoreError;

/// Equal definitions are one version; a different one is the next.
pub async fn versions_are_given_and_kept(fixture: &mut impl Fixture) {
    let store = fixture.open().await;
    let first = store.put_workflow(definition("w", "T_RUN", 1), None).await.expect("stored");
    let same = store.put_workflow(definition("w", "T_RUN", 1), None).await.expect("stored");
    let second = store.put_workflow(definition("w", "T_RUN", 2), None).await.expect("stored");
    assert_eq!((first.workflow.version, first.created, first.first), (1, true, true));
    assert_eq!((same.workflow.version, same.created), (1, false));
    assert_eq!((second.workflow.version, second.created, second.first), (2, true, false));
    store.close().await;
    let store = fixture.open().await;
    assert_eq!(store.workflow("w", None).expect("newest").version, 2);
    assert_eq!(store.workflow("w", Some(1)).expect("first").sub_tasks.len(), 1);
    assert!(matches!(store.workflow("w", Some(3)), Err(StoreError::NotFound)));
    assert!(matches!(store.workflow("x", None), Err(StoreError::NotFound)));
    let all = store.workflows().expect("a list");
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].versions.iter().map(|(version, _)| *version).collect::<Vec<_>>(), [1, 2]);
    store.close().await;
}

/// A deleted workflow is hidden; running tasks go on, and the name may be used again.
pub async fn deleted_workflow_is_out_of_the_list_only(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 2)).await;
    let id = start(&*store, &env, &workflow, "one").await;
    store.delete_workflow("w", None).await.expect("deleted");
    assert!(matches!(store.workflow("w", None), Err(StoreError::NotFound)));
    assert!(store.workflows().expect("a list").is_empty());
    assert!(matches!(store.delete_workflow("w", None).await, Err(StoreError::NotFound)));
    store.close().await;
    let store = fixture.open().await;
    complete(&*store, id, 0, None).await;
    assert_eq!(record(&*store, id).workflow.version, 1);
    let again = store.put_workflow(definition("w", "T_RUN", 2), None).await.expect("stored");
    assert_eq!((again.workflow.version, again.created), (2, true));
    store.close().await;
}
