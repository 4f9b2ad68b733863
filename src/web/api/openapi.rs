//! The API's description as an OpenAPI document: what the handlers say of themselves, and what is common to all of them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use super::super::{App, Routes};

/// Where the document is.
const PATH: &str = "/api/v1/openapi.json";
/// The name of the one way to sign in that the document tells of; browsers have another.
const BEARER: &str = "token";

/// What went wrong (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
struct Details {
    /// Always `about:blank`: the status says what kind it is.
    r#type: String,
    /// The status in words.
    title: String,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened and what to do.
    detail: String,
}

/// Which operations may answer a problem.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    All,
    WithInput,
    Named,
    Changing,
}

/// A problem that operations may answer.
struct Told {
    status: &'static str,
    name: &'static str,
    of: Of,
    meaning: &'static str,
}

const PROBLEMS: &[Told] = &[
    Told {
        status: "400",
        name: "BadRequest",
        of: Of::WithInput,
        meaning: "What was sent cannot be read; the detail says why",
    },
    Told {
        status: "401",
        name: "Unauthorized",
        of: Of::All,
        meaning: "The token is missing or wrong",
    },
    Told {
        status: "403",
        name: "Forbidden",
        of: Of::All,
        meaning: "Not from here, or not with this token",
    },
    Told {
        status: "404",
        name: "NotFound",
        of: Of::Named,
        meaning: "There is no such thing, or not in this state",
    },
    Told {
        status: "409",
        name: "Conflict",
        of: Of::Changing,
        meaning: "Not now; the detail says why",
    },
    Told {
        status: "429",
        name: "TooManyRequests",
        of: Of::All,
        meaning: "Too many wrong tokens; `Retry-After` says when to come again",
    },
    Told {
        status: "503",
        name: "ServiceUnavailable",
        of: Of::All,
        meaning: "The store or a platform cannot be used now; `Retry-After` says when to come again",
    },
];

/// The document before anything is in it.
pub(super) fn head() -> OpenApi {
    let about = "What a running agent knows and does. Lists are newest first; `next` of one page is `before` of the \
                 next one. Moments are RFC 3339 in UTC. Errors are problem details (RFC 9457). With `read_token` what \
                 changes something is answered 403.";
    let info = InfoBuilder::new()
        .title("Backstop")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(about));
    OpenApiBuilder::new().info(info).build()
}

/// The routes of `described`, and one more for their document.
pub(super) fn with_document(described: OpenApiRouter<Arc<App>>) -> Routes {
    let (routes, mut document) = described.split_for_parts();
    complete(&mut document);
    let bytes = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
    let answer = async move || ([(CONTENT_TYPE, "application/json")], bytes.clone()).into_response();
    routes.route(PATH, get(answer))
}

/// Adds what every operation has: problems, and who may ask.
fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    components
        .schemas
        .insert(Details::name().into_owned(), Details::schema());
    for told in PROBLEMS {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(Details::name())))
            .build();
        let response = ResponseBuilder::new()
            .description(told.meaning)
            .content("application/problem+json", content)
            .build();
        components.responses.insert(told.name.to_owned(), response.into());
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "`admin_token` of `[server]`, or `read_token` for what changes nothing",
        ))
        .build();
    components
        .security_schemes
        .insert(BEARER.to_owned(), SecurityScheme::Http(bearer).into());
    document.security = Some(vec![SecurityRequirement::new::<_, _, String>(BEARER, [])]);
    for (path, item) in &mut document.paths.paths {
        let is_named = path.contains('{');
        for operation in [&mut item.get, &mut item.delete].into_iter().flatten() {
            tell_problems(operation, is_named, false);
        }
        for operation in item.post.iter_mut() {
            tell_problems(operation, is_named, true);
        }
    }
}

fn tell_problems(operation: &mut Operation, is_named: bool, is_change: bool) {
    let has_input = operation.request_body.is_some() || operation.parameters.is_some();
    for told in PROBLEMS {
        let is_told = match told.of {
            Of::All => true,
            Of::WithInput => has_input,
            Of::Named => is_named || is_change,
            Of::Changing => is_change,
        };
        if is_told {
            let response = Ref::from_response_name(told.name);
            operation
                .responses
                .responses
                .insert(told.status.to_owned(), response.into());
        }
    }
}
