//! Makes TSX sources as a person would write them: imports, types, hooks, handlers, nested markup, comments, templates.

/// A small, seeded generator of numbers (xorshift with a multiplier), so that every run sees the same sources.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % below.max(1)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

const NOUNS: [&str; 16] = [
    "order",
    "customer",
    "invoice",
    "product",
    "basket",
    "payment",
    "address",
    "shipment",
    "coupon",
    "review",
    "category",
    "supplier",
    "warehouse",
    "refund",
    "message",
    "account",
];
const TAGS: [&str; 8] = ["div", "section", "article", "header", "span", "p", "li", "button"];
const CLASSES: [&str; 10] = [
    "flex items-center gap-2",
    "text-sm text-gray-500",
    "rounded-lg border p-4",
    "mt-6 grid grid-cols-2",
    "font-semibold",
    "hover:bg-gray-50",
    "w-full",
    "sr-only",
    "px-3 py-2",
    "truncate",
];

/// TSX of about `size` bytes that declares and exports `Dashboard`; the same for the same seed.
pub fn tsx(seed: u64, size: usize) -> String {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut out = String::with_capacity(size + 4096);
    out.push_str("import { useCallback, useEffect, useMemo, useState } from \"react\";\n");
    out.push_str("import type { ReactNode } from \"react\";\n");
    out.push_str("import { format, request } from \"../lib/data\";\n\n");
    out.push_str("/** What the dashboard is given. */\nexport interface DashboardProps {\n  title: string;\n  children?: ReactNode;\n  onClose?: (reason: \"escape\" | \"button\") => void;\n}\n\n");
    let mut names = Vec::new();
    while out.len() + 1300 < size {
        let nth = names.len();
        let depth = if size < 4096 { 0 } else { 3 };
        let name = panel(&mut out, &mut dice, nth, depth);
        names.push(name);
    }
    out.push_str("export function Dashboard({ title, children, onClose }: DashboardProps) {\n");
    out.push_str("  const [query, setQuery] = useState(\"\");\n  return (\n    <main className=\"p-6\" aria-label={title}>\n");
    out.push_str("      <input value={query} onChange={(event) => setQuery(event.target.value)} />\n");
    for name in names.iter().rev().take(6) {
        out.push_str(&format!("      <{name} query={{query}} limit={{{}}} />\n", dice.roll(90) + 10));
    }
    out.push_str("      {children}\n      <button type=\"button\" onClick={() => onClose?.(\"button\")}>\n        Close\n      </button>\n    </main>\n  );\n}\n");
    out
}

fn panel(out: &mut String, dice: &mut Dice, nth: usize, depth: usize) -> String {
    let noun = dice.pick(&NOUNS);
    let upper = format!("{}{}", noun[..1].to_uppercase(), &noun[1..]);
    let name = format!("{upper}Panel{nth}");
    out.push_str(&format!("type {upper}{nth} = {{\n  id: string;\n  total: number;\n"));
    for field in 0..dice.roll(4) {
        out.push_str(&format!(
            "  {}{field}?: {};\n",
            dice.pick(&NOUNS),
            dice.pick(&[
                "string",
                "Date | null",
                "Array<{ key: string; value: number }>",
                "Record<string, unknown>"
            ])
        ));
    }
    out.push_str("};\n\n");
    if dice.roll(3) == 0 {
        out.push_str(&format!("// How {noun}s are counted: the newest first, at most `limit` of them.\n"));
    }
    out.push_str(&format!(
        "function {name}({{ query, limit = {} }}: {{ query: string; limit?: number }}) {{\n",
        dice.roll(50) + 1
    ));
    out.push_str(&format!("  const [items, setItems] = useState<{upper}{nth}[]>([]);\n  const [error, setError] = useState<string | null>(null);\n\n"));
    out.push_str(&format!("  useEffect(() => {{\n    let stale = false;\n    request(`/api/{noun}s?query=${{encodeURIComponent(query)}}&limit=${{limit}}`)\n      .then((found: {upper}{nth}[]) => {{\n        if (!stale) setItems(found.filter((item) => item.total > {}));\n      }})\n      .catch((cause: unknown) => setError(cause instanceof Error ? cause.message : String(cause)));\n    return () => {{\n      stale = true;\n    }};\n  }}, [query, limit]);\n\n", dice.roll(1000)));
    out.push_str(&format!(
        "  const total = useMemo(() => items.reduce((sum, item) => sum + item.total * {}, 0), [items]);\n",
        dice.roll(9) + 1
    ));
    out.push_str("  const remove = useCallback((id: string) => {\n    setItems((known) => known.filter((item) => item.id !== id));\n  }, []);\n\n");
    out.push_str("  if (error !== null) {\n    return <p role=\"alert\">It didn't work: {error}</p>;\n  }\n\n  return (\n");
    markup(out, dice, 2, depth);
    out.push_str("  );\n}\n\n");
    name
}

fn markup(out: &mut String, dice: &mut Dice, indent: usize, depth: usize) {
    let tag = dice.pick(&TAGS);
    let pad = "  ".repeat(indent);
    out.push_str(&format!("{pad}<{tag} className=\"{} {}\">\n", dice.pick(&CLASSES), dice.pick(&CLASSES)));
    match dice.roll(3) {
        0 => out.push_str(&format!("{pad}  {{items.length > {} ? <strong>{{format(total)}}</strong> : null}}\n", dice.roll(9))),
        1 => out.push_str(&format!(
            "{pad}  {{items.map((item) => (\n{pad}    <span key={{item.id}} onClick={{() => remove(item.id)}} style={{{{ opacity: item.total > {} ? 1 : 0.5 }}}}>\n{pad}      {{item.id}} · {{item.total.toFixed(2)}}\n{pad}    </span>\n{pad}  ))}}\n",
            dice.roll(100)
        )),
        _ => out.push_str(&format!("{pad}  Shown: {{items.length}} of {{limit}}, newest first.\n")),
    }
    if depth > 0 {
        for _ in 0..=dice.roll(2) {
            markup(out, dice, indent + 1, depth - 1);
        }
    }
    out.push_str(&format!("{pad}</{tag}>\n"));
}
