//! Resources that a task works on: texts that the input decides.

use super::{Compiler, Workflow, all_of, flip};
use crate::expr::{ExprError, Scope, Template};
use crate::resource::Resource;
use crate::value::LONGEST_NAME;
use crate::workflow::names::Place;

#[derive(Debug)]
pub(super) struct ResourceTemplates {
    kind: String,
    id: Template,
    fqdn: Option<Template>,
    name: Option<Template>,
}

impl ResourceTemplates {
    /// The resource of a task.
    fn of(&self, scope: &Scope) -> Result<Resource, ExprError> {
        let text =
            |template: &Option<Template>| template.as_ref().map(|t| t.short(scope, LONGEST_NAME)).transpose();
        Ok(Resource {
            resource_id: self.id.short(scope, LONGEST_NAME)?,
            kind: self.kind.clone(),
            fqdn: text(&self.fqdn)?,
            name: text(&self.name)?,
        })
    }
}

impl Workflow {
    /// Returns the resources that a task of this input works on.
    pub fn resources(&self, scope: &Scope) -> Result<Vec<Resource>, ExprError> {
        self.resources.iter().map(|resource| resource.of(scope)).collect()
    }
}

impl Compiler<'_> {
    pub(super) fn resources(&mut self) -> Option<Vec<ResourceTemplates>> {
        let definition = self.definition;
        let each = definition.resources.iter().enumerate().map(|(i, resource)| {
            let part =
                |compiler: &mut Self, member: &str, text: &Option<String>| {
                    flip(text.as_deref().map(|t| {
                        compiler.template(&format!("/resources/{i}/{member}"), t, Place::Start, &[])
                    }))
                };
            let fqdn = part(self, "fqdn", &resource.fqdn);
            let name = part(self, "name", &resource.name);
            let id = self.template(
                &format!("/resources/{i}/resourceId"),
                &resource.resource_id,
                Place::Start,
                &[],
            );
            Some(ResourceTemplates { kind: resource.kind.clone(), id: id?, fqdn: fqdn?, name: name? })
        });
        all_of(each)
    }
}
