//! The names at the top level of a module: declared, exported, and doubled.
//!
//! TypeScript lets many names merge (interfaces, overloads, namespaces, enums; a type beside a value): only what can
//! never stand together counts as doubled.

use std::collections::HashMap;

use oxc_ast::ast::{
    BindingIdentifier, BindingPattern, Declaration, ExportDefaultDeclarationKind, ImportDeclarationSpecifier,
    ImportOrExportKind, ModuleExportName, Program, Statement, VariableDeclarationKind,
};

use super::{Doubled, Reading};

/// What a name is bound to, as far as it matters for doubling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    /// `const`, `let`, `class`
    Once,
    Var,
    Function,
    Import,
    Alias,
}

impl Bound {
    fn clashes_with(self, other: Self, typescript: bool) -> bool {
        use Bound::{Alias, Function, Import, Once, Var};
        match (self, other) {
            (Var, Var) => false,
            (Alias, Alias) | (Import, Import) => true,
            (Alias, _) | (_, Alias) => false,
            // An import may be of a type only, without saying so.
            (Import, _) | (_, Import) => !typescript,
            // Scripts may declare a function twice, and a variable of its name.
            (Function, Function) => true,
            (Function, Var) | (Var, Function) => false,
            (Once, _) | (_, Once) => true,
        }
    }
}

/// Fills in the names of a program.
pub(super) fn collect(program: &Program<'_>, reading: &mut Reading) {
    let mut names = Names {
        typescript: program.source_type.is_typescript(),
        script: !program.source_type.is_module(),
        bound: HashMap::new(),
        exported: HashMap::new(),
        reading,
    };
    for statement in &program.body {
        names.statement(statement);
    }
}

struct Names<'r> {
    typescript: bool,
    script: bool,
    bound: HashMap<String, Bound>,
    exported: HashMap<String, ()>,
    reading: &'r mut Reading,
}

impl Names<'_> {
    fn statement(&mut self, statement: &Statement<'_>) {
        match statement {
            Statement::ImportDeclaration(import) if import.import_kind == ImportOrExportKind::Value => {
                for specifier in import.specifiers.iter().flatten() {
                    let types_only = matches!(specifier, ImportDeclarationSpecifier::ImportSpecifier(one)
                        if one.import_kind == ImportOrExportKind::Type);
                    if !types_only {
                        self.bind(specifier.local(), Bound::Import);
                    }
                }
            }
            Statement::ExportDeclaration(export) => {
                let before = self.reading.declared.len();
                self.declaration(&export.declaration);
                let names = self.reading.declared[before..].to_vec();
                let once = match &export.declaration {
                    Declaration::VariableDeclaration(_) | Declaration::ClassDeclaration(_) => true,
                    Declaration::FunctionDeclaration(function) => function.body.is_some(),
                    _ => false,
                };
                for name in names {
                    if once {
                        self.export(&name, export.span.start);
                    }
                    self.reading.exported.push(name);
                }
            }
            Statement::ExportNamedDeclaration(export) => {
                for one in &export.specifiers {
                    let value = export.export_kind == ImportOrExportKind::Value
                        && one.export_kind == ImportOrExportKind::Value;
                    self.specifier(&one.exported, one.span.start, value);
                }
            }
            Statement::ExportFromDeclaration(export) => {
                for one in &export.specifiers {
                    self.specifier(&one.exported, one.span.start, false);
                }
            }
            Statement::ExportAllDeclaration(export) => match &export.exported {
                Some(name) => self.specifier(name, export.span.start, false),
                None => self.reading.open_exports = true,
            },
            Statement::ExportDefaultDeclaration(export) => {
                self.default_export(&export.declaration, export.span.start);
            }
            Statement::TSExportAssignment(_) => self.reading.open_exports = true,
            Statement::ExpressionStatement(_) => {
                // `module.exports = …`, `exports.a = …`: what a script exports is not looked into.
                self.reading.open_exports |= self.script;
            }
            statement => {
                if let Some(declaration) = statement.as_declaration() {
                    self.declaration(declaration);
                }
            }
        }
    }

    fn default_export(&mut self, declaration: &ExportDefaultDeclarationKind<'_>, at: u32) {
        self.reading.exported.push("default".to_owned());
        let name = match declaration {
            ExportDefaultDeclarationKind::FunctionDeclaration(function) => {
                // A head without a body is an overload.
                if function.body.is_none() {
                    return;
                }
                if let Some(name) = &function.id {
                    self.bind(name, Bound::Function);
                }
                function.id.as_ref()
            }
            ExportDefaultDeclarationKind::ClassDeclaration(class) => {
                if let Some(name) = &class.id {
                    self.bind(name, Bound::Once);
                }
                class.id.as_ref()
            }
            ExportDefaultDeclarationKind::TSInterfaceDeclaration(interface) => {
                self.reading.declared.push(interface.id.name.to_string());
                return;
            }
            _ => None,
        };
        self.export("default", at);
        match name {
            Some(name) => self.reading.declared.push(name.name.to_string()),
            None => {
                let names_another = matches!(declaration, ExportDefaultDeclarationKind::Identifier(_));
                self.reading.anonymous_default |= !names_another;
            }
        }
    }

    fn declaration(&mut self, declaration: &Declaration<'_>) {
        match declaration {
            Declaration::VariableDeclaration(variables) => {
                let bound =
                    if variables.kind == VariableDeclarationKind::Var { Bound::Var } else { Bound::Once };
                for variable in &variables.declarations {
                    match &variable.id {
                        BindingPattern::BindingIdentifier(name) => self.declare(name, bound),
                        pattern => {
                            for name in pattern.get_binding_identifiers() {
                                self.declare(name, bound);
                            }
                        }
                    }
                }
                return;
            }
            Declaration::FunctionDeclaration(function) => {
                if let Some(name) = function.id.as_ref().filter(|_| function.body.is_some()) {
                    self.bind(name, Bound::Function);
                }
            }
            Declaration::ClassDeclaration(class) => {
                if let Some(name) = &class.id {
                    self.bind(name, Bound::Once);
                }
            }
            Declaration::TSTypeAliasDeclaration(alias) => self.bind(&alias.id, Bound::Alias),
            _ => {}
        }
        if let Some(name) = declaration.id() {
            self.reading.declared.push(name.name.to_string());
        }
    }

    fn declare(&mut self, name: &BindingIdentifier<'_>, bound: Bound) {
        self.reading.declared.push(name.name.to_string());
        self.bind(name, bound);
    }

    fn bind(&mut self, name: &BindingIdentifier<'_>, bound: Bound) {
        let spelled = name.name.as_str();
        let function_again = bound == Bound::Function && self.script && !self.typescript;
        // Types have names of their own.
        let key = if bound == Bound::Alias { format!("type {spelled}") } else { spelled.to_owned() };
        match self.bound.get(&key) {
            Some(&known) if known.clashes_with(bound, self.typescript) && !function_again => {
                let how = if bound == Bound::Import { "imported" } else { "declared" };
                self.reading.doubled.push(Doubled {
                    name: spelled.to_owned(),
                    at: name.span.start as usize,
                    how,
                });
            }
            Some(_) => {}
            None => {
                self.bound.insert(key, bound);
            }
        }
    }

    fn specifier(&mut self, name: &ModuleExportName<'_>, at: u32, value: bool) {
        let name = name.name().to_string();
        if value {
            self.export(&name, at);
        }
        self.reading.exported.push(name);
    }

    fn export(&mut self, name: &str, at: u32) {
        if self.exported.insert(name.to_owned(), ()).is_some() {
            self.reading.doubled.push(Doubled { name: name.to_owned(), at: at as usize, how: "exported" });
        }
    }
}
