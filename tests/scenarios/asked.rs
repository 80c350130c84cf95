//! The local API, asked for what is not there and for more than one answer at once.
//!
//! **Invariant:** an answer is about what was asked, or says that there is none.

use bowline_api::record::Record;

use crate::story::settled;

#[test]
fn no_record_is_given_for_an_id_that_is_none() {
    let shop = settled("");
    let service = shop.serve();
    let history: Vec<Record> = service.tell("/v1/history");
    let id = history.iter().map(|it| it.deployment.clone()).find(|it| !it.is_empty()).unwrap();
    let found: Record = service.tell(&format!("/v1/deployments/{id}"));
    assert_eq!(found.deployment, id);
    for none in ["", "/", "d", "d1-", "d000001-zz", "../records", "d999999-0123456789ab"] {
        let (head, body) = service.answer(&format!("/v1/deployments/{none}"));
        assert_eq!(head, "HTTP/1.1 404 Not Found", "{none:?}: {body}");
        assert!(body.contains("no such deployment"), "{none:?}: {body}");
    }
    assert_eq!(service.stop(), Some(0));
}
