//! Spans as OTLP over HTTP has them in JSON: OTLP 1.x, `ExportTraceServiceRequest`. Ids are hexadecimal, 64-bit numbers are
//! text, enumerations are numbers.

use data_encoding::HEXLOWER;
use serde_json::{Value as Json, json};

use super::{
    clock::Clock,
    span::{Attribute, Context, Span, Value},
};

/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_SERVER`.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;

/// One request to a collector.
pub(super) fn encode(spans: &[Span], clock: &Clock) -> Vec<u8> {
    let resource = [("service.name", "sotto-relay"), ("service.version", env!("CARGO_PKG_VERSION"))];
    let resource = resource.map(|(key, word)| attribute(&Attribute::word(key, word)));
    let spans: Vec<_> = spans.iter().map(|it| span(it, clock)).collect();
    let scope = json!({"scope": {"name": "sotto_relay"}, "spans": spans});
    let request = json!({"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [scope]}]});
    request.to_string().into_bytes()
}

fn span(span: &Span, clock: &Clock) -> Json {
    let Span { context, parent, link, is_request, name, from, to, attributes } = span;
    let mut json = ids(context);
    json["parentSpanId"] = parent.map(|id| HEXLOWER.encode(&id)).unwrap_or_default().into();
    json["name"] = (*name).into();
    json["kind"] = if *is_request { SERVER } else { INTERNAL }.into();
    json["startTimeUnixNano"] = clock.unix_nanos(*from).to_string().into();
    json["endTimeUnixNano"] = clock.unix_nanos(*to).to_string().into();
    json["attributes"] = attributes.iter().flatten().map(attribute).collect();
    json["links"] = link.iter().map(ids).collect();
    json
}

fn ids(context: &Context) -> Json {
    let Context { trace, span } = context;
    json!({"traceId": HEXLOWER.encode(trace), "spanId": HEXLOWER.encode(span)})
}

fn attribute(attribute: &Attribute) -> Json {
    let value = match attribute.value {
        Value::Word(word) => json!({"stringValue": word}),
        Value::Count(count) => json!({"intValue": count.to_string()}),
    };
    json!({"key": attribute.key, "value": value})
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_span_is_written_as_otlp_writes_it() {
        let context = Context { trace: [0x1a; 16], span: [2; 8] };
        let start = Instant::now();
        let mut span = Span::new(context, "send", start, start + Duration::from_nanos(5));
        (span.parent, span.link) = (Some([3; 8]), Some(context));
        span.attributes = [Some(Attribute::word("word", "done")), None, Some(Attribute::count("count", 7))];
        let bytes = encode(&[span], &Clock::new(start, Duration::from_secs(1)));
        let json: Json = serde_json::from_slice(&bytes).unwrap();
        let (trace, id) = ("1a".repeat(16), "02".repeat(8));
        let expected = json!({
            "traceId": trace,
            "spanId": id,
            "parentSpanId": "03".repeat(8),
            "name": "send",
            "kind": 1,
            "startTimeUnixNano": "1000000000",
            "endTimeUnixNano": "1000000005",
            "attributes": [
                {"key": "word", "value": {"stringValue": "done"}},
                {"key": "count", "value": {"intValue": "7"}},
            ],
            "links": [{"traceId": trace, "spanId": id}],
        });
        assert_eq!(json["resourceSpans"][0]["scopeSpans"][0]["spans"], json!([expected]));
        assert_eq!(json["resourceSpans"][0]["resource"]["attributes"][0]["value"]["stringValue"], "sotto-relay");
    }
}
