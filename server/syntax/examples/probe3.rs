//! x
use tree_sitter::*;
fn main(){ let l:Language=tree_sitter_html::LANGUAGE.into(); let mut p=Parser::new(); p.set_language(&l).unwrap(); let s="<header id=\"top\"><h1>x</h1></header>\n"; let t=p.parse(s,None).unwrap();
for q in [include_str!("../../../queries/html/components.scm")] {
 let q=Query::new(&l,q).unwrap(); let mut c=QueryCursor::new(); let mut m=c.matches(&q,t.root_node(),s.as_bytes()); while let Some(x)=m.next(){ println!("{} {:?}", x.pattern_index, x.captures().iter().map(|c|(q.capture_names()[c.index as usize], &s[c.node.byte_range()])).collect::<Vec<_>>()); } println!("--"); }
}
