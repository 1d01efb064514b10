package main

var eventStore = board{
	title: "Tidings: event store", about: "How the log is reached and what it takes. Those of the embedded node are empty with an EventStoreDB.", links: []string{"overview"},
	panels: []panel{
		{
			question: "Who reaches it?", about: "1 for a process that does.", unit: "none",
			limit: limit{alert: "TidingsStoreAway", at: 1, below: true}, lines: []line{{"min by (instance) (tidings_store_connected)", "{{instance}}"}},
		},
		{
			question: "How often does it go away?", about: "Connections made anew, in an hour.", unit: "none",
			lines: []line{{"sum by (instance) (increase(tidings_store_reconnects_total[1h]))", "{{instance}}"}},
		},
		{
			question: "How long do appends take?", about: "As the programs see it, with retries.", unit: "s",
			limit: limit{alert: "TidingsAppendsSlow", at: 0.5}, lines: quantiles("tidings_append_duration_seconds", "instance"),
		},
		{
			question: "Does the node take appends?", about: "0 while its disk is full, and after it failed.", unit: "none",
			limit: limit{alert: "TidingsNodeRefusesAppends", at: 1, below: true}, lines: []line{{"min by (instance) (tidings_node_accepting_appends)", "{{instance}}"}},
		},
		{
			question: "What does the node answer?", about: "Appends a second by outcome.", unit: "ops",
			lines: []line{{"sum by (outcome) (rate(tidings_node_appends_total[$__rate_interval]))", "{{outcome}}"}},
		},
		{
			question: "How fast is its disk?", about: "From an append call to its answer, the fsync included.", unit: "s", lines: quantiles("tidings_node_append_duration_seconds", ""),
		},
		{
			question: "Do writers share fsyncs?", about: "Events in one commit.", unit: "none", lines: []line{mean("tidings_node_commit_batch_events")},
		},
		{
			question: "How long is the log?", about: "Position of its last event.", unit: "none", lines: []line{{"max by (instance) (tidings_node_head_position)", "{{instance}}"}},
		},
		{
			question: "How fast does it grow?", about: "Positions a second.", unit: "ops", lines: []line{{"max by (instance) (deriv(tidings_node_head_position[$__rate_interval]))", "{{instance}}"}},
		},
		{
			question: "How long until the disk is full?", about: "Free space, and what must stay free.", unit: "bytes",
			lines: []line{
				{"min by (instance) (tidings_node_disk_free_bytes)", "{{instance}} free"},
				{"max by (instance) (tidings_node_disk_reserve_bytes)", "{{instance}} must stay free"},
			},
		},
		{
			question: "Who follows the log?", about: "Open subscriptions.", unit: "none", lines: []line{{"sum by (instance) (tidings_node_subscriptions)", "{{instance}}"}},
		},
		{
			question: "Is somebody guessing passwords?", about: "Calls a second by the outcome of the check.", unit: "ops",
			limit: limit{alert: "TidingsCredentialsGuessed", at: 1}, lines: []line{{"sum by (outcome) (rate(tidings_node_logins_total[$__rate_interval]))", "{{outcome}}"}},
		},
		{
			question: "When must the certificate be replaced?", about: "Time until it ends; long past without TLS.", unit: "s",
			limit: limit{alert: "TidingsCertificateExpires", at: 14 * 86400, below: true},
			lines: []line{{"min by (instance) (tidings_node_certificate_expiry_seconds) - time()", "{{instance}}"}},
		},
	},
}
