//! Sub-tasks, and the order that they are in.

use super::{CompiledSubTask, Compiler, flip};
use crate::workflow::{Action, SubTaskDefinition, SubTaskOnFailure, graph};

impl Compiler<'_> {
    pub(super) fn sub_tasks(&mut self, needs: &[Vec<u32>]) -> Option<Vec<CompiledSubTask>> {
        let definition = self.definition;
        let before = graph::before(needs);
        let compiled: Vec<Option<CompiledSubTask>> = definition
            .sub_tasks
            .iter()
            .enumerate()
            .map(|(i, sub)| self.sub_task(i, sub, &needs[i], &before[i]))
            .collect();
        let mut all = compiled.into_iter().collect::<Option<Vec<_>>>()?;
        for (i, waits) in needs.iter().enumerate() {
            for &other in waits {
                all[other as usize].dependents.push(i as u32);
            }
        }
        Some(all)
    }

    fn sub_task(
        &mut self,
        i: usize,
        sub: &SubTaskDefinition,
        needs: &[u32],
        ended: &[bool],
    ) -> Option<CompiledSubTask> {
        let at = |member: &str| format!("/subTasks/{i}/{member}");
        let title = flip(sub.title.as_deref().map(|text| self.template(&at("title"), text, None, &[])));
        let description = self.template(&at("description"), &sub.description, None, &[]);
        let when = flip(sub.when.as_deref().map(|text| self.expr(&at("when"), text, Some(ended), &[])));
        let action = self.action(&at("action"), &sub.action, ended);
        if sub.timeout.is_some() && matches!(sub.action, Action::Wait(_)) {
            let hint = "leave it out: a wait ends by itself".to_owned();
            self.problems.error(at("timeout"), "a `wait` has no timeout", Some(hint));
        }
        Some(CompiledSubTask {
            name: sub.name.clone(),
            title: title?,
            description: description?,
            needs: needs.to_vec(),
            dependents: Vec::new(),
            when: when?,
            action: action?,
            retry: sub.retry.clone(),
            timeout: sub.timeout,
            goes_on: sub.on_failure == Some(SubTaskOnFailure::Continue),
            repeatable: sub.repeatable,
        })
    }
}
