//! Sub-tasks, and the order that they are in.

use serde_json::Value;

use super::{CompiledSubTask, Compiler, flip};
use crate::expr::{JsonTemplate, Template};
use crate::workflow::names::Place;
use crate::workflow::{Action, SubTaskDefinition, SubTaskOnFailure, graph};

impl Compiler<'_> {
    pub(super) fn sub_tasks(&mut self, needs: &[Vec<u32>]) -> Option<Vec<CompiledSubTask>> {
        let definition = self.definition;
        let before = graph::before(needs);
        let compiled: Vec<Option<CompiledSubTask>> = definition
            .sub_tasks
            .iter()
            .enumerate()
            .map(|(i, sub)| self.sub_task(i, sub, &needs[i], &before))
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
        before: &[Vec<bool>],
    ) -> Option<CompiledSubTask> {
        let at = |member: &str| format!("/subTasks/{i}/{member}");
        let place = Place::SubTask { own: i, before };
        let when = flip(sub.when.as_deref().map(|text| self.expr(&at("when"), text, place, &[])));
        let for_each = flip(sub.for_each.as_deref().map(|text| self.items(&at("forEach"), text, place)));
        // The texts of children are made with the children, those of others before there is a task.
        let shown = if sub.for_each.is_some() { Place::Task } else { Place::Start };
        if sub.for_each.is_some() {
            self.more = &["item", "index"];
        }
        self.knows_item = false;
        let title = flip(sub.title.as_deref().map(|text| self.template(&at("title"), text, shown, &[])));
        let description = self.template(&at("description"), &sub.description, shown, &[]);
        let action = self.action(&at("action"), &sub.action, place);
        self.more = &[];
        if sub.for_each.is_some() && !self.knows_item {
            let hint =
                Some("write `{{ item }}`, a member of it, or `{{ index }}` where they differ".to_owned());
            self.problems.warning(at("action"), "all children do the same: nothing names their item", hint);
        }
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
            for_each: for_each?,
            parallel: sub.parallel.unwrap_or(1),
            action: action?,
            retry: sub.retry.clone(),
            timeout: sub.timeout,
            goes_on: sub.on_failure == Some(SubTaskOnFailure::Continue),
            repeatable: sub.repeatable,
        })
    }

    /// Compiles a list, which only an expression returns.
    fn items(&mut self, pointer: &str, text: &str, place: Place<'_>) -> Option<JsonTemplate> {
        let template = self.json(pointer, &Value::String(text.to_owned()), place)?;
        if !matches!(template, JsonTemplate::Text(Template::Whole(_))) {
            let hint = Some("such as `{{ input.hosts }}`".to_owned());
            self.problems.error(pointer.to_owned(), "must be one expression that gives a list", hint);
        }
        Some(template)
    }
}
