//! Which functions of the project a name means that is written with namespaces or classes: `a::f` and `C::f` are both kept as `f`.

use std::collections::HashMap;

use gilaudit_model::source::{FunctionId, Name, Project};

use super::{Index, Role};

/// The name under which the functions are kept that a written name means; nothing if the project has none.
pub(super) fn resolve(project: &Project, by_name: &HashMap<Name, Vec<FunctionId>>, written: Name) -> Option<Name> {
    if by_name.contains_key(&written) {
        return Some(written);
    }
    let path = plain(project.text(written));
    let (_, last) = path.rsplit_once("::")?;
    let name = project.names.get(last)?;
    by_name.get(&name)?.iter().any(|id| ends_with(project, *id, &path)).then_some(name)
}

/// Whether a written name can mean this function, which has the same last part.
pub(super) fn is_written(project: &Project, id: FunctionId, written: Name) -> bool {
    written == project.function(id).name || ends_with(project, id, &plain(project.text(written)))
}

/// Tables name functions in this way, too.
pub(super) fn resolve_roles(project: &Project, index: &mut Index) {
    let written: Vec<(Name, Vec<Role>)> = index
        .roles
        .iter()
        .filter_map(|(name, roles)| Some((resolve(project, &index.by_name, *name)?, name, roles)))
        .filter(|(name, written, _)| name != *written)
        .map(|(name, _, roles)| (name, roles.clone()))
        .collect();
    for (name, roles) in written {
        index.roles.entry(name).or_default().extend(roles);
    }
}

fn ends_with(project: &Project, id: FunctionId, path: &str) -> bool {
    let outer = project.text(project.function(id).qualified).strip_suffix(path);
    outer.is_some_and(|outer| outer.is_empty() || outer.ends_with("::"))
}

/// A path from the project's root or from here, without white space. Arguments of templates are not in it.
fn plain(written: &str) -> String {
    let path: String = written.split_whitespace().collect();
    path.strip_prefix("::").map_or_else(|| path.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn paths() {
        assert_eq!(plain("::a :: f"), "a::f");
        assert_eq!(plain("f"), "f");
    }
}
