package main

// overview is the first board that somebody looks at: is it accepting, delivering, behind, full, losing?
var overview = board{
	title: "Tidings", about: "Is it accepting, delivering, behind, full, losing? The other boards say why.",
	links: []string{"streams", "projections", "event-store"},
	panels: []panel{
		{
			question: "How many processes do not answer?", about: "APIs, projectors and nodes that Prometheus cannot reach.", unit: "none", stat: true,
			limit: limit{alert: "TidingsInstanceDown", at: 1}, lines: []line{{`sum(1 - up{job=~"api|projector|node"})`, "away"}},
		},
		{
			question: "Who cannot reach the event store?", about: "Processes whose commands are refused.", unit: "none", stat: true,
			limit: limit{alert: "TidingsStoreAway", at: 1}, lines: []line{{"sum(1 - tidings_store_connected)", "cut off"}},
		},
		{
			question: "Who cannot reach Postgres?", about: "Processes that cannot read inboxes.", unit: "none", stat: true,
			limit: limit{alert: "TidingsPostgresAway", at: 1}, lines: []line{{"sum(1 - tidings_postgres_connected)", "cut off"}},
		},
		{
			question: "How many project?", about: "One does; 0 while it is paused or halted, or while nobody can.", unit: "none", stat: true,
			limit: limit{alert: "TidingsNobodyProjects", at: 1, below: true}, lines: []line{{"sum(tidings_projection_active)", "active"}},
		},
		{
			question: "Are the tables right?", about: "What the self-check found to differ in six hours.", unit: "none", stat: true,
			limit: limit{alert: "TidingsTablesDiffer", at: 1}, lines: []line{{"sum(increase(tidings_selfcheck_differences_total[6h]))", "differences"}},
		},
		{
			question: "How many alerts fire?", about: "docs/operations/alerts.md says what to do about each.", unit: "none", stat: true,
			lines: []line{{`count(ALERTS{alertstate="firing"}) or vector(0)`, "fire"}},
		},
		{
			question: "Are commands accepted?", about: "Commands a second by what became of them.", unit: "ops",
			lines: []line{{"sum by (outcome) (rate(tidings_commands_total[$__rate_interval]))", "{{outcome}}"}},
		},
		{
			question: "What fails?", about: "The part of an instance's requests that is answered with 5xx.", unit: "percentunit",
			limit: limit{alert: "TidingsServerErrors", at: 0.01},
			lines: []line{{
				`sum by (instance) (rate(tidings_http_requests_total{code=~"5..", route!="/readyz"}[$__rate_interval])) / ` +
					`sum by (instance) (rate(tidings_http_requests_total{route!="/readyz"}[$__rate_interval]))`, "{{instance}}",
			}},
		},
		{
			question: "How long do callers wait?", about: "From a request's headers to its answer, streams left out.", unit: "s",
			lines: quantiles("tidings_http_request_duration_seconds", ""),
		},
		{
			question: "How long until an inbox has it?", about: "From an append to the commit that makes it visible in the read model.", unit: "s",
			limit: limit{alert: "TidingsInboxSlow", at: 1}, lines: quantiles("tidings_projection_append_to_inbox_seconds", ""),
		},
		{
			question: "How long until a stream has it?", about: "From an append to the end of the write that told a connected reader.", unit: "s",
			limit: limit{alert: "TidingsStreamSlow", at: 1}, lines: quantiles("tidings_live_append_to_stream_seconds", ""),
		},
		{
			question: "How far behind are inboxes?", about: "Age of the oldest event that was read and is not applied.", unit: "s",
			limit: limit{alert: "TidingsProjectionBehind", at: 10},
			lines: []line{{"max by (projection) (tidings_projection_lag_seconds)", "{{projection}}"}},
		},
		{
			question: "What is asked?", about: "Requests a second by route.", unit: "reqps",
			lines: []line{{"sum by (route) (rate(tidings_http_requests_total[$__rate_interval])) > 0 or sum(rate(tidings_http_requests_total[$__rate_interval]))", "{{route}}"}},
		},
		{
			question: "Who meets a limit?", about: "Refusals a second by the limit's policy, and exchanges of limits that failed.", unit: "ops",
			limit: limit{alert: "TidingsLimitsNotShared", at: 0.1},
			lines: []line{
				{"sum by (policy) (rate(tidings_limits_refused_total[$__rate_interval]))", "{{policy}}"},
				{"sum(rate(tidings_limits_exchange_failures_total[$__rate_interval]))", "not exchanged"},
			},
		},
		{
			question: "Who shows what is not taken?", about: "Tokens and API keys a second by what became of them.", unit: "ops",
			lines: []line{{"sum by (outcome) (rate(tidings_access_credentials_total[$__rate_interval]))", "{{outcome}}"}},
		},
		{
			question: "How old is the issuer's key set?", about: "It is fetched every 20 seconds; at 60 new tokens are refused. 0 without one.", unit: "s",
			limit: limit{alert: "TidingsKeySetOld", at: 30}, lines: []line{{"max by (instance) (tidings_token_key_set_age_seconds)", "{{instance}}"}},
		},
		{
			question: "Who reads the audit trail?", about: "Reads a second by kind: pages, exports, streams.", unit: "ops",
			lines: []line{{"sum by (kind) (rate(tidings_audit_reads_total[$__rate_interval]))", "{{kind}}"}},
		},
		{
			question: "What runs?", about: "Processes by version: more than one for as long as an upgrade takes.", unit: "none",
			lines: []line{{"sum by (version) (tidings_build_info)", "{{version}}"}},
		},
	},
}
