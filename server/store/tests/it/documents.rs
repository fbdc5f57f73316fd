use assist_base::RunId;
use assist_store::{
    DocumentFilter, DocumentId, DocumentRef, DocumentStatus, NewDocument, NewVersion, Store, StoreError,
    Verdict,
};
use serde_json::json;

use crate::{at, store_with_run};

fn version(title: &str, run: Option<RunId>, dependencies: Vec<DocumentRef>) -> NewVersion {
    NewVersion {
        title: title.to_owned(),
        created_by: "product_manager".to_owned(),
        run,
        content: json!({ "project_name": "Todo", "user_stories": ["to list"] }),
        metadata: json!({ "model": "m" }),
        changes_since_last: None,
        dependencies,
    }
}

fn new(doc_type: &str, parent: Option<DocumentId>, first: NewVersion) -> NewDocument {
    NewDocument { project_id: "shop".to_owned(), doc_type: doc_type.to_owned(), parent, first }
}

#[tokio::test]
async fn a_document_keeps_its_versions_and_approving_one_supersedes_the_one_before() {
    let (store, run) = store_with_run().await;
    let documents = store.documents();
    let first =
        documents.create(new("product_requirements", None, version("PRD", Some(run), vec![])), at(1)).await;
    let first = first.unwrap();
    assert_eq!((first.version, first.status, first.run), (1, DocumentStatus::Draft, Some(run)));
    let v1 = DocumentRef { id: first.id, version: 1 };
    documents.set_status(v1, DocumentStatus::InReview, "architect", at(2)).await.unwrap();
    documents.review(v1, "architect", Verdict::Comment, "Say who pays", at(3)).await.unwrap();
    let approved = documents.review(v1, "user", Verdict::Approved, "Good", at(4)).await.unwrap();
    assert_eq!((approved.status, approved.approved_by.as_deref()), (DocumentStatus::Approved, Some("user")));
    let reviews = documents.reviews(v1).await.unwrap();
    assert_eq!(reviews.iter().map(|r| r.comment.as_str()).collect::<Vec<_>>(), ["Say who pays", "Good"]);

    let change = NewVersion { changes_since_last: Some("Who pays".into()), ..version("PRD 2", None, vec![]) };
    let second = documents.add_version(first.id, change, at(5)).await.unwrap();
    let v2 = DocumentRef { id: first.id, version: 2 };
    assert_eq!(second.version, 2);
    assert_eq!(
        documents.approved(first.id).await.unwrap().unwrap().version,
        1,
        "a draft does not replace it"
    );
    documents.set_status(v2, DocumentStatus::Approved, "user", at(6)).await.unwrap();
    assert_eq!(documents.get(v1).await.unwrap().status, DocumentStatus::Superseded);
    assert_eq!(documents.approved(first.id).await.unwrap().unwrap().version, 2);
    assert_eq!(documents.latest(first.id).await.unwrap().title, "PRD 2");
    assert_eq!(documents.versions(first.id).await.unwrap().len(), 2);

    let back = documents.set_status(v1, DocumentStatus::Approved, "user", at(7)).await;
    assert!(matches!(back, Err(StoreError::Invalid { .. })), "{back:?}");
    let rejected = documents.review(v1, "user", Verdict::Rejected, "late", at(7)).await;
    assert!(matches!(rejected, Err(StoreError::Invalid { .. })), "{rejected:?}");
    assert_eq!(documents.reviews(v1).await.unwrap().len(), 2, "a review that changes nothing is not kept");

    let page = second.to_markdown();
    for line in ["# PRD 2\n", "version 2, draft", "Changed: Who pays", "## User stories\n\n- to list\n"] {
        assert!(page.contains(line), "{page}");
    }
}

#[tokio::test]
async fn it_is_known_which_version_a_run_used_and_what_rests_on_it() {
    let (store, run) = store_with_run().await;
    let documents = store.documents();
    let prd = documents
        .create(new("product_requirements", None, version("PRD", None, vec![])), at(1))
        .await
        .unwrap();
    let prd1 = DocumentRef { id: prd.id, version: 1 };
    let rests = version("Design", Some(run), vec![prd1]);
    let design = documents.create(new("system_design", Some(prd.id), rests), at(2)).await.unwrap();
    let design1 = DocumentRef { id: design.id, version: 1 };
    let api = documents
        .create(new("api_specification", Some(design.id), version("API", None, vec![design1])), at(3))
        .await
        .unwrap();
    assert_eq!(design.dependencies, [prd1]);
    assert_eq!(documents.dependents_of(prd1).await.unwrap(), [design1]);
    assert_eq!(documents.lineage(api.id).await.unwrap(), [design.id, prd.id]);

    documents.add_version(prd.id, version("PRD 2", None, vec![]), at(4)).await.unwrap();
    documents.record_use(run, prd1, "architect", at(5)).await.unwrap();
    documents.record_use(run, prd1, "architect", at(6)).await.unwrap();
    let used = documents.used_by(run).await.unwrap();
    assert_eq!(used.len(), 1);
    assert_eq!((used[0].document, used[0].agent.as_str(), used[0].at), (prd1, "architect", at(5)));
    assert_eq!(documents.users_of(prd1).await.unwrap(), used);

    let of_run = DocumentFilter { run: Some(run), ..DocumentFilter::default() };
    let listed = documents.list(of_run).await.unwrap();
    assert_eq!(listed.iter().map(|d| d.title.as_str()).collect::<Vec<_>>(), ["Design"]);
    let all =
        documents.list(DocumentFilter { project: Some("shop".into()), ..DocumentFilter::default() }).await;
    assert_eq!(all.unwrap().iter().map(|d| d.title.as_str()).collect::<Vec<_>>(), ["PRD 2", "API", "Design"]);

    // What a role is to know: what the run wrote, and what it used in the version it used.
    let context = store.working().context(run, None, 10).await.unwrap();
    assert_eq!(context.documents.iter().map(|d| d.title.as_str()).collect::<Vec<_>>(), ["PRD", "Design"]);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_built_on() {
    let store = Store::in_memory().unwrap();
    let documents = store.documents();
    let nothing = DocumentRef { id: DocumentId::new(), version: 1 };
    let first = version("x", None, vec![nothing]);
    for result in [
        documents.create(new("x", None, first), at(1)).await.map(|_| ()),
        documents.create(new("x", Some(nothing.id), version("x", None, vec![])), at(1)).await.map(|_| ()),
        documents.add_version(nothing.id, version("x", None, vec![]), at(1)).await.map(|_| ()),
        documents.get(nothing).await.map(|_| ()),
        documents.latest(nothing.id).await.map(|_| ()),
        documents.record_use(RunId::new(), nothing, "x", at(1)).await,
        documents.review(nothing, "x", Verdict::Comment, "", at(1)).await.map(|_| ()),
    ] {
        assert!(matches!(result, Err(StoreError::NotFound { .. })), "{result:?}");
    }
    assert_eq!(documents.list(DocumentFilter::default()).await.unwrap(), []);
}
