//! `POST /v1/seal`: an operator declares regions lost, for good (billing.md §7).

use super::Api;
use super::body::JsonBody;
use super::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use billing_wire::{Genesis, RegionId, SealRefusal};
use serde::{Deserialize, Serialize};

/// A refused seal may be tried again after so many milliseconds.
const RETRY_AFTER_MS: u32 = 1_000;

/// Which regions are lost, by name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SealBody {
    regions: Vec<String>,
    /// Even when somebody hears them.
    #[serde(default)]
    force: bool,
}

/// The end of a log.
#[derive(Debug, Serialize)]
pub(super) struct SealedJson {
    region: String,
    incarnation: u32,
    last_index: u64,
    /// Hexadecimal.
    last_hash: String,
}

/// Answers when the seal has taken effect, or will not.
pub(super) async fn seal(
    State(api): State<Api>,
    JsonBody(body): JsonBody<SealBody>,
) -> Result<Json<Vec<SealedJson>>, Problem> {
    let regions = body.regions.iter().map(|name| region_of(&api.genesis, name));
    let regions = regions.collect::<Result<Vec<RegionId>, Problem>>()?;
    match api.node.seal(regions, body.force).await {
        Ok(Ok(chains)) => {
            let json = chains.iter().map(|chain| SealedJson {
                region: name_of(&api.genesis, chain.region),
                incarnation: chain.incarnation.0,
                last_index: chain.last_index,
                last_hash: chain.last_hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            });
            Ok(Json(json.collect()))
        }
        Ok(Err(refusal)) => Err(refused(refusal)),
        Err(unanswered) => {
            let (kind, title) = ("seal-unknown", "whether the regions are sealed is unknown");
            let detail = format!("{unanswered}: ask again");
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, kind, title, detail))
        }
    }
}

fn refused(refusal: SealRefusal) -> Problem {
    let detail = refusal.to_string();
    match refusal {
        SealRefusal::NotLeader | SealRefusal::TooFewReports | SealRefusal::UnderWay => {
            Problem::unavailable("not-sealed", &detail, RETRY_AFTER_MS)
        }
        SealRefusal::UnknownRegion { .. }
        | SealRefusal::AlreadySealed { .. }
        | SealRefusal::NoRegionLeft
        | SealRefusal::SeveralAtOnce
        | SealRefusal::OwnRegion { .. }
        | SealRefusal::Alive { .. }
        | SealRefusal::OneRegion => {
            let (kind, title) = ("seal-refused", "the regions are not sealed");
            Problem::new(StatusCode::CONFLICT, kind, title, detail).at("regions")
        }
    }
}

fn region_of(genesis: &Genesis, name: &str) -> Result<RegionId, Problem> {
    let found = genesis.regions.iter().find(|members| members.name == name);
    found.map(|members| members.region).ok_or_else(|| {
        let names: Vec<&str> = genesis.regions.iter().map(|r| r.name.as_str()).collect();
        let detail = format!("'{name}': one of {} expected", names.join(", "));
        Problem::invalid("regions", detail)
    })
}

fn name_of(genesis: &Genesis, region: RegionId) -> String {
    let found = genesis.regions.iter().find(|members| members.region == region);
    found.map_or_else(|| region.to_string(), |members| members.name.clone())
}
