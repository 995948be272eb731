//! `user …`.

mod key;
mod list;

use longhaul_client::{NewUserBody, UserChange};

use super::{Context, ask, context};
use crate::cli::{AddArgs, Global, PasswdArgs, UserCommand};
use crate::exit::{Code, Failure};
use crate::out::Out;

/// Runs a `user` command.
pub(crate) async fn run(command: UserCommand, global: &Global, out: Out) -> Result<Code, Failure> {
    let context = context(global, out).await?;
    match command {
        UserCommand::Add(args) => add(&args, &context).await,
        UserCommand::List => list::run(&context).await,
        UserCommand::Passwd(args) => passwd(&args, &context).await,
        UserCommand::Role { name, role } => {
            let change = UserChange { role: Some(&role), ..UserChange::default() };
            changed(&context, &name, change, "has another role").await
        }
        UserCommand::Bind(args) => {
            let change = UserChange { queues: &args.queue, actions: &args.action, ..UserChange::default() };
            changed(&context, &args.name, change, "is bound from its next call on").await
        }
        UserCommand::Disable { name } => {
            let change = UserChange { disabled: Some(true), ..UserChange::default() };
            changed(&context, &name, change, "is disabled; its sessions are over").await
        }
        UserCommand::Enable { name } => {
            let change = UserChange { disabled: Some(false), ..UserChange::default() };
            changed(&context, &name, change, "is enabled").await
        }
        UserCommand::Delete { name } => {
            context.client.delete_user(&name).await?;
            context.out.remark(&format!("{name}: deleted"))?;
            Ok(Code::Success)
        }
        UserCommand::Key(command) => key::run(command, &context).await,
    }
}

async fn add(args: &AddArgs, Context { client, out }: &Context) -> Result<Code, Failure> {
    let password = match args {
        AddArgs { service: true, .. } => None,
        AddArgs { password_stdin: true, .. } => Some(ask::next_line()?),
        AddArgs { name, .. } => Some(ask::new_secret(&format!("Password of {name}"), ask::PASSWORD)?),
    };
    let AddArgs { name, role, queue, action, .. } = args;
    let new = NewUserBody { name, role, password: password.as_deref(), queues: queue, actions: action };
    let made = client.add_user(new).await?;
    if out.verbatim(&made)? {
        return Ok(Code::Success);
    }
    match made.get("apiKey").and_then(|key| key.as_str()) {
        // Alone on standard output, for a file.
        Some(key) => {
            out.remark(&format!("{}: made; this is its API key, shown this once", args.name))?;
            out.text(&format!("{key}\n"))?;
        }
        None => out.remark(&format!("{}: made", args.name))?,
    }
    Ok(Code::Success)
}

async fn passwd(args: &PasswdArgs, context: &Context) -> Result<Code, Failure> {
    let read = |question: &str| {
        if args.password_stdin { ask::next_line() } else { ask::secret(question, ask::PASSWORD) }
    };
    let read_new = |question: &str| {
        if args.password_stdin { ask::next_line() } else { ask::new_secret(question, ask::PASSWORD) }
    };
    let Some(name) = &args.name else {
        let (old, new) = (read("Old password")?, read_new("New password")?);
        context.client.change_my_password(&old, &new).await?;
        context.out.remark("the password is changed; log in again")?;
        return Ok(Code::Success);
    };
    let new = read_new(&format!("New password of {name}"))?;
    let change = UserChange { password: Some(&new), ..UserChange::default() };
    changed(context, name, change, "has a new password; its sessions are over").await
}

async fn changed(
    Context { client, out }: &Context,
    name: &str,
    change: UserChange<'_>,
    said: &str,
) -> Result<Code, Failure> {
    let user = client.change_user(name, change).await?;
    if !out.verbatim(&user)? {
        out.remark(&format!("{name}: {said}"))?;
    }
    Ok(Code::Success)
}
