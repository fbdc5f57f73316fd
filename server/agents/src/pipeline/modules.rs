//! Which file a module's name stands for, and which name a file has in another: relative imports, and the aliases of the
//! project (`tsconfig`). Looks at names only; whether a file is there is the caller's to ask.

use assist_base::DocPath;
use assist_syntax::{Language, Project};

mod tsconfig;

pub(crate) use tsconfig::project;

/// Endings that an import may leave out.
const ENDINGS: [&str; 12] =
    [".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".d.ts", ".json", ".vue", ".svelte"];

/// The files that `module` may stand for when `from` names it, most likely first. None where it is a package, or outside
/// the workspace: then nothing can be said of it.
pub(crate) fn candidates(
    from: &DocPath,
    module: &str,
    language: Language,
    project: &Project,
) -> Vec<DocPath> {
    let folder = from.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
    if language == Language::Python {
        return python_candidates(folder, module);
    }
    let module = module.split(['?', '#']).next().unwrap_or(module);
    if module.starts_with("./") || module.starts_with("../") || matches!(module, "." | "..") {
        return files_of(&format!("{folder}/{module}"));
    }
    project.aliased(module).iter().flat_map(|target| files_of(target)).collect()
}

/// The files that a path without an ending, or with that of what it is compiled to, may stand for.
fn files_of(path: &str) -> Vec<DocPath> {
    let joined = path.trim_start_matches('/');
    // The workspace's own folder, by its index.
    let Ok(path) = DocPath::relative(joined) else {
        return ENDINGS
            .iter()
            .filter_map(|ending| DocPath::relative(&format!("index{ending}")).ok())
            .collect();
    };
    let path = path.as_str();
    let mut names = vec![path.to_owned()];
    // TypeScript names the file that will be there after compiling.
    for (written, meant) in [(".js", [".ts", ".tsx"]), (".jsx", [".tsx", ".tsx"]), (".mjs", [".mts", ".mts"])]
    {
        if let Some(stem) = path.strip_suffix(written) {
            names.extend(meant.iter().map(|ending| format!("{stem}{ending}")));
        }
    }
    names.extend(ENDINGS.iter().map(|ending| format!("{path}{ending}")));
    names.extend(ENDINGS.iter().map(|ending| format!("{path}/index{ending}")));
    names.iter().filter_map(|name| DocPath::relative(name).ok()).collect()
}

fn python_candidates(folder: &str, module: &str) -> Vec<DocPath> {
    let dots = module.bytes().take_while(|&byte| byte == b'.').count();
    if dots == 0 {
        return Vec::new();
    }
    let mut folder: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for _ in 1..dots {
        if folder.pop().is_none() {
            return Vec::new();
        }
    }
    let rest = module[dots..].replace('.', "/");
    let joined =
        [folder.join("/"), rest].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    let names = match (joined.is_empty(), module.len() == dots) {
        (true, _) => vec!["__init__.py".to_owned()],
        // `from . import x` names the folder, which is there as the file in it is.
        (false, true) => return Vec::new(),
        (false, false) => {
            vec![format!("{joined}.py"), format!("{joined}/__init__.py"), format!("{joined}.pyi")]
        }
    };
    names.iter().filter_map(|name| DocPath::relative(name).ok()).collect()
}

/// How `from`, which holds `text`, would name the file `to`: relative or by an alias, with an ending or without one, as
/// its other imports do.
pub(crate) fn name_in(
    from: &DocPath,
    text: &str,
    to: &DocPath,
    language: Language,
    project: &Project,
) -> String {
    let folder = |path: &DocPath| -> Vec<String> {
        let parts = path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
        parts.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (here, there) = (folder(from), folder(to));
    let shared = here.iter().zip(&there).take_while(|(a, b)| a == b).count();
    let file = to.file_name();
    let (stem, ending) = file.rsplit_once('.').map_or((file, ""), |(stem, ending)| (stem, ending));
    if language == Language::Python {
        // From the folder of a script, or else from the workspace's.
        let from_part = if shared == here.len() { shared } else { 0 };
        let mut parts: Vec<&str> = there[from_part..].iter().map(String::as_str).collect();
        if stem != "__init__" {
            parts.push(stem);
        }
        return parts.join(".");
    }
    let sources = assist_syntax::sources(text, language);
    let is_relative = |module: &str| module.starts_with('.');
    let own: Vec<&str> =
        sources.iter().map(|source| source.module.as_str()).filter(|module| is_relative(module)).collect();
    let code = ["js", "jsx", "ts", "tsx", "mjs", "cjs", "mts", "cts"];
    let written = own.iter().find_map(|module| code.iter().find(|e| module.ends_with(&format!(".{e}"))));
    let name = match written {
        _ if !code.contains(&ending) => file.to_owned(),
        None => stem.to_owned(),
        Some(&"js") if matches!(ending, "ts" | "tsx") => format!("{stem}.js"),
        Some(_) => file.to_owned(),
    };
    let by_alias = sources.iter().any(|source| !project.aliased(&source.module).is_empty());
    if by_alias && own.is_empty() {
        let folder = to.as_str().strip_suffix(file).unwrap_or_default();
        if let Some(name) = project.by_alias(&format!("{folder}{name}")) {
            return name;
        }
    }
    let mut path = vec![".."; here.len() - shared];
    if path.is_empty() {
        path.push(".");
    }
    path.extend(there[shared..].iter().map(String::as_str));
    path.push(&name);
    path.join("/").strip_suffix("/index").map_or_else(|| path.join("/"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> DocPath {
        DocPath::relative(path).unwrap()
    }

    fn project() -> Project {
        let alias = |pattern: &str, target: &str| assist_syntax::Alias {
            pattern: pattern.to_owned(),
            target: target.to_owned(),
        };
        let aliases =
            vec![alias("@/*", "src/*"), alias("@/*", "lib/*"), alias("odd", "src/x"), alias("*", "types/*")];
        Project { aliases, ..Project::default() }
    }

    #[track_caller]
    fn leads_to(from: &str, module: &str, expected: &str) {
        let found = candidates(&path(from), module, Language::Tsx, &project());
        assert!(found.iter().any(|found| found.as_str() == expected), "{found:?}");
    }

    #[test]
    fn a_module_leads_to_its_file() {
        leads_to("src/App.tsx", "./Hero", "src/Hero.tsx");
        leads_to("src/App.tsx", "./Hero.js", "src/Hero.ts");
        leads_to("src/a/App.tsx", "../b", "src/b/index.ts");
        leads_to("src/App.tsx", "./logo.svg?raw", "src/logo.svg");
        leads_to("src/App.tsx", "@/ui/Hero", "src/ui/Hero.tsx");
        leads_to("src/App.tsx", "@/ui/Hero", "lib/ui/Hero.tsx");
        leads_to("src/App.tsx", "odd", "src/x.ts");
        leads_to("App.tsx", "./x/y", "x/y.tsx");
        for module in ["react", "@scope/pkg", "node:fs"] {
            assert_eq!(candidates(&path("src/App.tsx"), module, Language::Tsx, &project()), [], "{module}");
        }
        let found = candidates(&path("app/main.py"), ".models", Language::Python, &Project::default());
        assert_eq!(found[0].as_str(), "app/models.py");
        assert_eq!(candidates(&path("app/main.py"), "os", Language::Python, &Project::default()), []);
    }

    #[track_caller]
    fn named(from: &str, text: &str, to: &str, expected: &str) {
        let language = Language::of_path(&path(from)).unwrap();
        assert_eq!(name_in(&path(from), text, &path(to), language, &project()), expected);
    }

    #[test]
    fn a_file_is_named_as_the_others_are() {
        named("src/App.tsx", "", "src/components/Hero.tsx", "./components/Hero");
        named("src/pages/Home.tsx", "", "src/components/Hero.tsx", "../components/Hero");
        named("App.tsx", "", "Hero/index.tsx", "./Hero");
        named("src/App.tsx", "import './x.js';", "src/Hero.tsx", "./Hero.js");
        named("src/App.tsx", "import './x.tsx';", "src/Hero.tsx", "./Hero.tsx");
        named("src/App.tsx", "import a from '@/a';", "src/ui/Hero.tsx", "@/ui/Hero");
        named("src/App.tsx", "import a from '@/a'; import './b';", "src/ui/Hero.tsx", "./ui/Hero");
        named("src/App.tsx", "", "src/app.css", "./app.css");
        named("shop/main.py", "", "shop/views/cart.py", "views.cart");
        named("shop/main.py", "", "lib/__init__.py", "lib");
    }
}
