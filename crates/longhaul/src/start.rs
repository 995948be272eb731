//! Steps from a store to a server that answers: accounts, the engine, and the workflows of a folder.

mod not_started;

use std::sync::Arc;

use longhaul_auth::Auth;
use longhaul_engine::{Audit, Engine, EngineError};
use longhaul_model::Env;
use longhaul_model::workflow::Definition;
use longhaul_store::NodeState;

use crate::config::Config;
use crate::original;
use crate::out::Out;
use crate::storage::Ground;

pub(crate) use not_started::NotStarted;

/// Starts accounts and engine, and stores the workflows, each with the name of its file.
pub(crate) async fn start(
    config: &Config,
    env: &Env,
    ground: &Ground,
    workflows: Vec<(String, Definition)>,
    out: Out,
) -> Result<(Arc<Auth>, Engine), NotStarted> {
    let announce = |name: &str, password: &str| {
        // LONGHAUL_ADMIN_PASSWORD sets the password where nobody reads the output.
        let _ = out.text(&format!(
            "made the first administrator: user {name}, password {password}\n\
             it is shown this once; `longhaul login {name}` asks for it, `longhaul user passwd` changes it\n"
        ));
    };
    original::make_copy(ground, env, config.copy).await?;
    let accounts = ground.accounts.clone();
    let auth = Auth::start(accounts, env.clone(), ground.keys.clone(), config.auth.clone(), announce).await?;
    let mut settings = config.engine.clone();
    settings.paused |= !is_original(config, ground).await?;
    let engine = Engine::start(ground.store.clone(), env.clone(), ground.keys.sealer(), settings);
    let engine = engine.await.map_err(|e| NotStarted::engine(&e, None))?;
    let replaced = put_workflows(&engine, workflows).await;
    let replaced = replaced.map_err(|(origin, e)| NotStarted::engine(&e, Some(&origin)))?;
    if !replaced.is_empty() {
        warn_of_other_folders(&at_work_elsewhere(&engine, ground).await, &replaced);
    }
    Ok((auth, engine))
}

/// Stores workflows, each with the name of its file. Returns those that replaced others, or the file of the
/// first that could not be stored.
pub(crate) async fn put_workflows(
    engine: &Engine,
    workflows: Vec<(String, Definition)>,
) -> Result<Vec<String>, (String, EngineError)> {
    let audit = Audit::new("server".into(), None, "putWorkflow");
    let mut replaced = Vec::new();
    for (origin, definition) in workflows {
        let name = definition.name.clone();
        let put = engine.put_workflow(definition, audit.clone()).await;
        let put = put.map_err(|e| (origin, e))?;
        if put.created {
            let version = put.workflow.version;
            tracing::info!(workflow = name, version, "stored a workflow");
            if version > 1 {
                replaced.push(format!("{name} (version {version})"));
            }
        }
    }
    Ok(replaced)
}

/// Returns true if the data is the original, and warns of a copy, which starts paused.
async fn is_original(config: &Config, ground: &Ground) -> Result<bool, NotStarted> {
    let is_original =
        original::is_original(&*ground.store, config.moved).await.map_err(NotStarted::Failed)?;
    if !is_original {
        tracing::warn!(
            data = ground.place,
            "the data was restored, copied or moved: the server starts paused, so that nothing runs twice. Start it \
             once with --moved if the original is gone and this takes its place, or with --copy if the original lives on: \
             then sessions and API keys of the original are not accepted here, and its tasks do not go on here by themselves"
        );
    }
    Ok(is_original)
}

/// Returns the names and addresses of the other active nodes.
async fn at_work_elsewhere(engine: &Engine, ground: &Ground) -> Vec<String> {
    let own = ground.at.node(engine.env());
    // A warning must not prevent a start.
    let nodes = engine.nodes().await.unwrap_or_default();
    let others =
        nodes.into_iter().filter(|known| known.state == NodeState::Active && known.node.name != own.name);
    others.map(|known| format!("{} at {}", known.node.name, known.node.address)).collect()
}

/// Warns that other nodes are active. Nodes store the workflows of their folders, and the newest version
/// counts for all of them: two folders that differ would replace each other's workflows with every start.
fn warn_of_other_folders(others: &[String], replaced: &[String]) {
    if others.is_empty() {
        return;
    }
    tracing::warn!(
        workflows = replaced.join(", "),
        nodes = others.join(", "),
        "this node's workflow files differ from what the nodes at work had stored: its versions count for all nodes now. \
         Give every node the same folder"
    );
}
