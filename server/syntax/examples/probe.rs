use assist_syntax::*;
fn comp(name:&str, code:&str)->Component{ let t=format!("/// COMPONENT_START: {name} ///\n{code}/// COMPONENT_END ///\n"); let (s,_) = Scanner::scan(&t,None); s.into_iter().find_map(|x| if let Scanned::Component(c)=x {Some(c)} else {None}).unwrap() }
fn judge_new(lang: Language, name:&str, code:&str)->Judgement{
  let c=comp(name,code); let p=place("",Some(lang),&c,&Target::NewFile,None).unwrap();
  judge(&Candidate{component:&c,language:Some(lang),before:None,placement:&p,top_level:true,complete_stream:true}) }
fn main(){
  for (l,name,code) in [
    (Language::Html,"x","<!doctype html>\n<html><body><div><p>a</p></div></body></html>\n"),
    (Language::Html,"x","<!doctype html>\n<html><body><div><p>a</p>\n"),
    (Language::Html,"x","<div class=\"a\n"),
    (Language::Html,"x","<ul><li>a<li>b</ul>\n<br><img src=x>\n"),
    (Language::Html,"x","Here is the page you wanted.\n"),
    (Language::Html,"x","<script>let a = {\n</script>\n"),
    (Language::Css,"x",".a { color: red }\n"),
    (Language::Css,"x",".a { color: red\n"),
    (Language::Css,"x",".a { color: red;\n  margin: \n"),
    (Language::Json,"x","{\"a\": 1}\n"),(Language::Json,"x","{\"a\": 1\n"),(Language::Json,"x","{\"a\": 1} {}\n"),
    (Language::Python,"f","def f(x):\n    return [\n"),
    (Language::Python,"f","def f(x):\n"),
    (Language::Python,"f","def f(x):\n    return 1\n"),
    (Language::Python,"f","def f(x):\n    s = '''abc\n"),
    (Language::Rust,"f","fn f() { let x = vec![1, 2\n"),
    (Language::Go,"F","package a\n\nfunc F() {\n\tx := 1\n"),
    (Language::Tsx,"Hero","export function Hero() {\n  return <div><p>a\n"),
    (Language::Tsx,"Hero","export function Hero() {\n  return <div>;\n}\n"),
    (Language::Tsx,"Hero","export function Hero() {\n  const a = ;\n  return <div/>;\n}\n"),
    (Language::Tsx,"Hero","export function Hero() {\n  return <div/>;\n}\n"),
    (Language::Tsx,"Hero","export function Hero() {\n  if (a) {\n  return <div/>;\n}\n"),
    (Language::TypeScript,"a","export const a = `abc\n"),
    (Language::TypeScript,"a","export const a = 1 /* abc\n"),
    (Language::TypeScript,"a","export const a = 'abc\n"),
    (Language::TypeScript,"a","Sure, here is the code you asked for.\n"),
    (Language::TypeScript,"a","{\"a\": 1}\n"),
  ] { let j=judge_new(l,name,code); println!("{:?} {:?} -> {} {:?}", l, code, j.verdict, j.reasons.iter().map(|r|(&r.message,r.line)).collect::<Vec<_>>()); }
  for (what, unit, close) in [("paren","(",")"),("arr","[","]"),("obj","({a:","})"),("bang","!",""),("jsx","<a>","</a>"),("arrow","a=>",""),("arrowp","(a=","1)=>1"),("tern","a?b:",""),("tmpl","`${","}`"),("type","let x:A<","1"),("if","if(a)",""),("block","{","}"),("fn","function f(){","}"),("asg","a=",""),("plus","a+",""),("call","f(",")"),("cond","a?(b",")"),("arrow2","a?(b)=>","")] {
    for n in [20usize, 25, 2000, 20000] {
      if n>25 && ["arrowp","cond"].contains(&what) {continue}
      let code=format!("{}1{}\n", unit.repeat(n), close.repeat(n));
      let t=std::time::Instant::now();
      let j=judge_new(Language::Tsx,"index",&code);
      println!("{what} {n}: {} {:?} {:?}", j.verdict, j.reasons.first().map(|r|r.message.chars().take(60).collect::<String>()), t.elapsed());
    }
  }
}
