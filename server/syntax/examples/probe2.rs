//! x
#[path = "../tests/support/generate.rs"] mod generate;
use std::time::{Instant,Duration};
fn main(){
   for size in [2000usize,10000,150000] {
     let (mut a,mut b,mut o,mut cc)=(vec![],vec![],vec![],vec![]); let mut depth=0;
     let mut p=tree_sitter::Parser::new(); p.set_language(&tree_sitter_typescript::LANGUAGE_TSX.into()).unwrap();
     let mut al=oxc_allocator::Allocator::default();
     for r in 0..100u64 {
     let code=generate::tsx(r,size);
     let t=Instant::now();
     let tree=p.parse(&code,None).unwrap();
     a.push(t.elapsed());
     let t=Instant::now();
     let mut c=tree.walk(); let mut d=0usize; 'w: loop { if d>depth{depth=d}; if c.goto_first_child(){d+=1;continue;} while !c.goto_next_sibling(){ if !c.goto_parent(){break 'w;} d-=1; } }
     b.push(t.elapsed());
     let t=Instant::now();
     {let r=oxc_parser::Parser::new(&al,&code,oxc_span::SourceType::tsx()).parse(); assert!(r.diagnostics.is_empty());}
     al.reset();
     o.push(t.elapsed());
     let t=Instant::now();
     let n=std::thread::scope(|s| std::thread::Builder::new().stack_size(64<<20).spawn_scoped(s,|| code.len()).unwrap().join().unwrap());
     cc.push(t.elapsed()); assert!(n>0);
     }
     let m=|v:&mut Vec<Duration>|{v.sort(); v[v.len()/2]};
     println!("{size}: parse {:?} walk {:?} oxc {:?} spawn {:?} depth {depth}", m(&mut a),m(&mut b),m(&mut o),m(&mut cc));
   }
}
