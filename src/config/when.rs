//! `when`: which deployments something is for.

use crate::document::{Node, Problems, Table};
use crate::domain::{Deployment, Glob};

/// Words from elsewhere, and what is not there yet.
const ALIASES: &[(&str, &str)] = &[
    ("environment", "env"),
    ("application", "app"),
    ("project", "app"),
    ("apps", "app"),
    ("envs", "env"),
    (
        "stage",
        "`when.stage` is not available yet: checks run when the deployment is live",
    ),
    ("region", "matching by region is not available yet"),
    (
        "kind",
        "matching by kind is not available yet; `preview = true` is for preview environments",
    ),
];

/// Names that are meant, and names that are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// One of them must match; none stands for all.
    pub any: Vec<Glob>,
    /// None of them may match.
    pub not: Vec<Glob>,
}

impl Names {
    /// Whether `name` is meant.
    pub fn matches(&self, name: &str) -> bool {
        (self.any.is_empty() || self.any.iter().any(|glob| glob.matches(name)))
            && !self.not.iter().any(|glob| glob.matches(name))
    }

    fn is_empty(&self) -> bool {
        self.any.is_empty() && self.not.is_empty()
    }
}

/// Which deployments something is for. Everything that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// The app's name.
    pub app: Names,
    /// The environment's name.
    pub env: Names,
    /// The branch it was built from; a deployment without one matches only if this is left out.
    pub branch: Names,
    /// The platform's name in the config.
    pub platform: Names,
    /// Whether the environment is a preview.
    pub preview: Option<bool>,
}

impl When {
    /// Whether it is for `deployment`. Of a preview environment this says nothing yet about whether it was named.
    pub fn matches(&self, deployment: &Deployment) -> bool {
        let branch = deployment.commit.branch.as_deref();
        self.app.matches(&deployment.app)
            && self.env.matches(&deployment.environment)
            && (self.branch.is_empty() || branch.is_some_and(|branch| self.branch.matches(branch)))
            && self.platform.matches(deployment.key.platform.as_str())
            && self.preview.is_none_or(|preview| preview == deployment.preview)
    }

    /// Whether it names preview environments by `preview = true`, or this one by a pattern that is more than `*`.
    pub fn names_preview(&self, deployment: &Deployment) -> bool {
        let by_env = |glob: &Glob| glob.as_str() != "*" && glob.matches(&deployment.environment);
        self.matches(deployment) && (self.preview == Some(true) || self.env.any.iter().any(by_env))
    }

    /// Whether it is for `app` by its exact name.
    pub fn names_app(&self, app: &str) -> bool {
        !self.app.any.is_empty() && self.app.any.iter().all(Glob::is_exact) && self.app.matches(app)
    }

    /// Whether it says anything of apps.
    pub fn names_apps(&self) -> bool {
        !self.app.is_empty()
    }

    /// Whether it names every app that it is for.
    pub fn names_apps_exactly(&self) -> bool {
        !self.app.any.is_empty() && self.app.any.iter().all(Glob::is_exact)
    }

    /// Whether it is for everything.
    pub fn is_any(&self) -> bool {
        *self == Self::default()
    }
}

/// Reads the `when` of `table`; without one it is for everything.
pub(super) fn read_when(table: &mut Table<'_>, problems: &mut Problems) -> When {
    let Some(mut when) = table.table("when", problems) else {
        return When::default();
    };
    let read = When {
        app: read_names(when.take("app"), problems),
        env: read_env(when.take("env"), problems),
        branch: read_names(when.take("branch"), problems),
        platform: read_names(when.take("platform"), problems),
        preview: when.bool("preview", problems),
    };
    when.finish(problems, ALIASES);
    read
}

fn read_env(node: Option<Node<'_>>, problems: &mut Problems) -> Names {
    let place = node.as_ref().map(Node::place);
    let names = read_names(node, problems);
    if let (Some(place), true) = (place, names.any.iter().any(|glob| glob.as_str() == "*")) {
        problems.warn(
            place,
            "`*` does not name preview environments",
            "leave it out; they are named by `preview = true` or by more of their name: `pr-*`",
        );
    }
    names
}

fn read_names(node: Option<Node<'_>>, problems: &mut Problems) -> Names {
    let Some(node) = node else {
        return Names::default();
    };
    let Some(mut table) = node.as_table() else {
        return Names {
            any: read_globs(&node, problems),
            not: Vec::new(),
        };
    };
    let mut names = Names::default();
    if let Some(not) = table.required(
        "not",
        "write `\"name\"`, `[\"a\", \"b-*\"]` or `{ not = \"name\" }`",
        problems,
    ) {
        names.not = read_globs(&not, problems);
    }
    table.finish(problems, &[]);
    names
}

/// Reads one pattern or a list of them, none of them empty.
pub(super) fn read_globs(node: &Node<'_>, problems: &mut Problems) -> Vec<Glob> {
    let texts = node.strings(problems).unwrap_or_default();
    if texts.is_empty() && node.as_array().is_some_and(|items| items.is_empty()) {
        problems.push_help(
            node.place(),
            format!("{} is empty", node.label()),
            "leave it out to mean all",
        );
    }
    let mut globs = Vec::new();
    for (item, text) in texts {
        if text.is_empty() {
            problems.push(item.place(), format!("{} has an empty name", node.label()));
        } else {
            globs.push(Glob::new(text));
        }
    }
    globs
}
