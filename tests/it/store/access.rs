//! Accounts.

use deskhand::domain::{KeyId, Scope, Scopes, UserId};
use deskhand::store::{KeyRecord, Membership, Session, Store, UserRecord, WayIn};

use super::{after, desk, fresh, now};

pub(super) async fn keys_open_until_they_are_revoked(store: &dyn Store) {
    assert!(!store.has_accounts().await.unwrap());
    let key = |name: &str, created: i64| KeyRecord {
        id: KeyId::new(fresh()),
        workspace: desk("keys"),
        name: name.to_owned(),
        secret_hash: (0..=255).collect(),
        scopes: Scopes::new(vec![Scope::Triage, Scope::Lead]),
        created_at: after(created),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    let mut ending = KeyRecord { expires_at: Some(after(10)), ..key("Zendesk \0'", 1) };
    store.add_key(&ending).await.unwrap();
    assert!(store.has_accounts().await.unwrap());
    let mut lasting = key("agents", 0);
    store.add_key(&lasting).await.unwrap();
    assert!(store.add_key(&lasting).await.is_err(), "an id is used once");
    let read = store.key(ending.id).await.unwrap().unwrap();
    assert_eq!(read.name.replace('\0', ""), "Zendesk '");
    ending.name = read.name.clone();
    assert_eq!(read, ending);
    assert_eq!(store.key(KeyId::new(fresh())).await.unwrap(), None);
    assert_eq!(store.keys().await.unwrap(), [lasting.clone(), ending.clone()], "oldest first");
    store.touch_key(lasting.id, after(5)).await.unwrap();
    lasting.last_used_at = Some(after(5));
    assert!(store.revoke_key(lasting.id, after(6)).await.unwrap());
    assert!(!store.revoke_key(lasting.id, after(7)).await.unwrap(), "once");
    assert!(!store.revoke_key(KeyId::new(fresh()), after(7)).await.unwrap());
    lasting.revoked_at = Some(after(6));
    assert_eq!(store.key(lasting.id).await.unwrap(), Some(lasting), "revoked ones can be read");
    store.revoke_key(ending.id, after(8)).await.unwrap();
    assert!(store.has_accounts().await.unwrap(), "a desk that was closed does not open by itself");
}

pub(super) fn user(name: &str) -> UserRecord {
    UserRecord {
        id: UserId::new(fresh()),
        workspace: desk("users"),
        name: name.to_owned(),
        way_in: WayIn::Password("$argon2id$1".to_owned()),
        scopes: Scopes::new(vec![Scope::Agent]),
        created_at: now(),
    }
}

pub(super) async fn users_and_their_sessions_come_and_go(store: &dyn Store) {
    let (ann, other) = (user("ann"), user("Ärger 'x'"));
    assert!(store.put_user(&other).await.unwrap());
    assert!(store.put_user(&ann).await.unwrap());
    assert!(store.has_accounts().await.unwrap());
    assert_eq!(store.users().await.unwrap(), [ann.clone(), other.clone()], "by name");
    assert_eq!(store.user("ann").await.unwrap(), Some(ann.clone()));
    assert_eq!(store.user("Ann").await.unwrap(), None);
    let session = |user: &UserRecord, csrf: &str| Session {
        user: user.name.clone(),
        workspace: user.workspace.clone(),
        scopes: user.scopes.clone(),
        csrf: csrf.to_owned(),
        expires_at: after(100),
    };
    let add = async |token: &[u8], user: &UserRecord| {
        assert!(store.add_session(token, user, "csrf", after(100)).await.unwrap());
    };
    let open = async |token: &[u8], at: i64| store.session(token, after(at)).await.unwrap();
    add(&[1, 0, 255], &ann).await;
    add(&[2], &ann).await;
    add(&[3], &other).await;
    assert_eq!(open(&[1, 0, 255], 99).await, Some(session(&ann, "csrf")));
    assert_eq!(open(&[1, 0, 255], 100).await, None, "it has expired");
    assert_eq!(open(&[1], 0).await, None);
    store.remove_session(&[1, 0, 255]).await.unwrap();
    store.remove_session(&[1, 0, 255]).await.unwrap();
    assert_eq!(open(&[1, 0, 255], 0).await, None);
    assert!(open(&[2], 0).await.is_some());
    // Another password, other scopes, another desk: the same account, signed out everywhere.
    let changed = UserRecord {
        workspace: desk("elsewhere"),
        way_in: WayIn::Password("$argon2id$2".to_owned()),
        scopes: Scopes::new(vec![Scope::Admin]),
        created_at: after(1),
        ..user("ann")
    };
    assert!(store.put_user(&changed).await.unwrap());
    let expected = UserRecord { id: ann.id, created_at: now(), ..changed };
    assert_eq!(store.user("ann").await.unwrap(), Some(expected.clone()));
    assert_eq!(open(&[2], 0).await, None);
    assert!(open(&[3], 0).await.is_some(), "only theirs");
    // Whoever gave the old password before it was changed comes too late.
    assert!(!store.add_session(&[4], &ann, "csrf", after(100)).await.unwrap());
    add(&[4], &expected).await;
    assert_eq!(open(&[4], 0).await, Some(session(&expected, "csrf")));
    // Gone, with the sessions.
    assert!(store.remove_user("ann").await.unwrap());
    assert!(!store.remove_user("ann").await.unwrap());
    assert_eq!(open(&[4], 0).await, None);
    assert!(!store.add_session(&[5], &expected, "csrf", after(100)).await.unwrap());
    // Swept away when it has expired, and not before.
    store.sweep(after(99)).await.unwrap();
    assert!(open(&[3], 0).await.is_some());
    store.sweep(after(100)).await.unwrap();
    assert_eq!(open(&[3], 0).await, None);
    assert!(store.remove_user(&other.name).await.unwrap());
}

pub(super) async fn a_user_works_at_the_desks_they_joined(store: &dyn Store) {
    let member =
        |name: &str, scope| Membership { workspace: desk(name), scopes: Scopes::new(vec![scope]) };
    let joiner = UserRecord {
        id: UserId::new(fresh()),
        workspace: desk("home"),
        name: "joiner".to_owned(),
        way_in: WayIn::Password("$argon2id$1".to_owned()),
        scopes: Scopes::new(vec![Scope::Agent]),
        created_at: now(),
    };
    assert!(store.put_user(&joiner).await.unwrap());
    assert!(!store.add_membership("nobody", &member("hr", Scope::Lead)).await.unwrap());
    assert!(store.add_membership("joiner", &member("hr", Scope::Agent)).await.unwrap());
    assert!(store.add_membership("joiner", &member("hr", Scope::Lead)).await.unwrap());
    assert!(store.add_membership("joiner", &member("eng", Scope::Triage)).await.unwrap());
    let all =
        [member("home", Scope::Agent), member("eng", Scope::Triage), member("hr", Scope::Lead)];
    assert_eq!(store.memberships("joiner").await.unwrap(), all);
    assert!(store.add_session(&[9], &joiner, "csrf", after(100)).await.unwrap());
    let at = async || {
        let session = store.session(&[9], now()).await.unwrap().unwrap();
        Membership { workspace: session.workspace, scopes: session.scopes }
    };
    assert_eq!(at().await, all[0]);
    store.move_session(&[9], &desk("hr")).await.unwrap();
    assert_eq!(at().await, all[2], "with the rights that they have there");
    store.move_session(&[9], &desk("elsewhere")).await.unwrap();
    assert_eq!(at().await, all[0], "a desk that they have not joined is none of theirs");
    store.move_session(&[9], &desk("hr")).await.unwrap();
    assert!(store.remove_membership("joiner", &desk("hr")).await.unwrap());
    assert!(!store.remove_membership("joiner", &desk("hr")).await.unwrap());
    assert_eq!(at().await, all[0], "who has left is back at their own");
    store.add_membership("joiner", &member("hr", Scope::Admin)).await.unwrap();
    assert_eq!(store.session(&[9], now()).await.unwrap(), None, "other rights, another session");
    assert!(store.remove_user("joiner").await.unwrap());
    assert!(store.memberships("joiner").await.unwrap().is_empty());
}
