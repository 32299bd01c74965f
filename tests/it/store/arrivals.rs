//! People who come from a provider of identities.

use std::sync::Arc;

use deskhand::domain::{Scope, Scopes, UserId};
use deskhand::store::{Arrival, SignInAttempt, Store, UserRecord, WayIn};

use super::{after, desk, fresh, now};

fn person(issuer: &str, subject: &str, name: &str, scope: Scope) -> UserRecord {
    UserRecord {
        id: UserId::new(fresh()),
        workspace: desk("arrivals"),
        name: name.to_owned(),
        way_in: WayIn::Provider { issuer: issuer.to_owned(), subject: subject.to_owned() },
        scopes: Scopes::new(vec![scope]),
        created_at: now(),
    }
}

pub(super) async fn who_comes_from_a_provider_is_known_by_its_name_for_them(store: &dyn Store) {
    let with_password = UserRecord {
        way_in: WayIn::Password("$argon2id$1".to_owned()),
        ..person("", "", "dana", Scope::Admin)
    };
    assert!(store.put_user(&with_password).await.unwrap());
    let dana = person("https://a.example", "1", "dana", Scope::Agent);
    let Arrival { user, before } = store.put_arrival(&dana).await.unwrap();
    assert_eq!(before, None);
    let numbered = UserRecord { name: "dana (2)".to_owned(), ..dana.clone() };
    assert_eq!(user, numbered, "a name that somebody has is nobody else's");
    assert_eq!(store.user("dana").await.unwrap(), Some(with_password.clone()));
    // The same subject elsewhere is somebody else, and so is another one here.
    let elsewhere = person("https://b.example", "1", "dana", Scope::Lead);
    assert_eq!(store.put_arrival(&elsewhere).await.unwrap().user.name, "dana (3)");
    let other = person("https://a.example", "2", "Zoë '\0x", Scope::Lead);
    let other = store.put_arrival(&other).await.unwrap().user;
    assert_eq!(other.name.replace('\0', ""), "Zoë 'x");
    // Who comes again is the same account, with the name, desk and scopes of now; the session that
    // they have goes on, with these.
    assert!(store.add_session(&[7], &user, "csrf", after(100)).await.unwrap());
    let again = UserRecord {
        workspace: desk("elsewhere"),
        created_at: after(9),
        ..person("https://a.example", "1", "dana", Scope::Lead)
    };
    let arrival = store.put_arrival(&again).await.unwrap();
    assert_eq!(arrival.before, Some(numbered.clone()));
    let expected = UserRecord {
        workspace: desk("elsewhere"),
        scopes: Scopes::new(vec![Scope::Lead]),
        ..numbered
    };
    assert_eq!(arrival.user, expected, "with the number that they had");
    let session = store.session(&[7], now()).await.unwrap().unwrap();
    assert_eq!((session.user.as_str(), session.scopes), ("dana (2)", expected.scopes.clone()));
    let renamed = person("https://a.example", "1", "dana (x)", Scope::Agent);
    assert_eq!(store.put_arrival(&renamed).await.unwrap().user.name, "dana (x)");
    // Neither way in becomes the other.
    assert!(store.put_arrival(&with_password).await.is_err());
    let taking = UserRecord {
        way_in: WayIn::Password("$argon2id$3".to_owned()),
        ..person("", "", "dana (x)", Scope::Admin)
    };
    assert!(!store.put_user(&taking).await.unwrap());
    assert!(!store.put_user(&renamed).await.unwrap());
    let kept = store.user("dana (x)").await.unwrap().unwrap();
    assert_eq!((kept.id, kept.way_in), (user.id, user.way_in));
    assert!(store.session(&[7], now()).await.unwrap().is_some(), "nor does it end sessions");
    for name in ["dana", "dana (3)", "dana (x)", &other.name] {
        assert!(store.remove_user(name).await.unwrap(), "{name}");
    }
    assert_eq!(store.session(&[7], now()).await.unwrap(), None);
    // Who was removed is new when they come again.
    assert_eq!(store.put_arrival(&dana).await.unwrap().before, None);
    assert!(store.remove_user("dana").await.unwrap());
}

pub(super) async fn a_sign_in_comes_back_once_to_its_browser_and_in_time(store: &Arc<dyn Store>) {
    let attempt = |state: u8| SignInAttempt {
        state_hash: vec![state, 0, 255],
        browser_hash: vec![9, 0],
        nonce: "nonce".to_owned(),
        verifier: "verifier".to_owned(),
        next: "/?text=ä".to_owned(),
        expires_at: after(10),
    };
    for state in 1..=3 {
        store.add_attempt(&attempt(state)).await.unwrap();
    }
    assert!(store.add_attempt(&attempt(1)).await.is_err(), "a state is used once");
    let take = async |state: u8, browser: &[u8], at: i64| {
        store.take_attempt(&[state, 0, 255], browser, after(at)).await.unwrap()
    };
    assert_eq!(take(1, &[9], 0).await, None, "another browser's");
    assert_eq!(take(1, &[9, 0], 10).await, None, "too late");
    assert_eq!(take(1, &[9, 0], 9).await, Some(attempt(1)));
    assert_eq!(take(1, &[9, 0], 9).await, None, "once");
    // Of many who come at the same moment one gets it.
    let all = (0..8).map(|_| store.take_attempt(&[2, 0, 255], &[9, 0], now()));
    let taken = futures_util::future::join_all(all).await;
    assert_eq!(taken.into_iter().filter(|taken| taken.as_ref().unwrap().is_some()).count(), 1);
    store.sweep(after(9)).await.unwrap();
    assert_eq!(take(3, &[9, 0], 9).await, Some(attempt(3)));
    store.add_attempt(&attempt(3)).await.unwrap();
    store.sweep(after(10)).await.unwrap();
    assert_eq!(take(3, &[9, 0], 0).await, None, "swept away");
}
