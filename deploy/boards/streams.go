package main

var streams = board{
	title: "Tidings: streams", about: "Who follows, what they are told, how soon, and why they leave.", links: []string{"overview"},
	panels: []panel{
		{
			question: "How many follow?", about: "Connected readers of inboxes.", unit: "none",
			lines: []line{{"sum by (instance) (tidings_live_connections)", "{{instance}}"}},
		},
		{
			question: "Is it delivering?", about: "Frames written a second.", unit: "ops",
			lines: []line{{"sum by (event) (rate(tidings_live_deliveries_total[$__rate_interval]))", "{{event}}"}},
		},
		{
			question: "How live is live?", about: "From an append to the end of the write that told a reader, by instance.", unit: "s",
			limit: limit{alert: "TidingsStreamSlow", at: 1}, lines: quantiles("tidings_live_append_to_stream_seconds", "instance"),
		},
		{
			question: "Why do readers leave?", about: "Readers let go, a second. Too slow, unavailable: ours or the network's fault; the others are as it should be.", unit: "ops",
			lines: []line{{"sum by (reason) (rate(tidings_live_dropped_total[$__rate_interval]))", "{{reason}}"}},
		},
		{
			question: "Who was too slow?", about: "Readers in five minutes that did not take what they were sent.", unit: "none",
			limit: limit{alert: "TidingsReadersDropped", at: 3},
			lines: []line{{`sum by (instance) (increase(tidings_live_dropped_total{reason="too_slow"}[5m]))`, "{{instance}}"}},
		},
		{
			question: "Does memory fill with what nobody takes?", about: "Frames that wait for readers, and how often a reader's queue was full, a second.", unit: "none",
			lines: []line{
				{"sum by (instance) (tidings_live_waiting_frames)", "{{instance}} wait"},
				{"sum by (instance) (rate(tidings_live_overflows_total[$__rate_interval]))", "{{instance}} overflows"},
			},
		},
		{
			question: "Is a hub behind the others?", about: "Positions between each hub and where the furthest was a minute ago; above 0 is behind. Halted: 1.", unit: "none",
			limit: limit{alert: "TidingsHubHalted", at: 1},
			lines: []line{
				{"clamp_min(scalar(max(tidings_projection_position offset 1m or tidings_live_position offset 1m)) - max by (instance) (tidings_live_position), 0)", "{{instance}} behind"},
				{"max by (instance) (tidings_live_halted)", "{{instance}} halted"},
			},
		},
		{
			question: "Who follows the audit trail?", about: "Open streams of the audit trail, and events sent to its readers a second.", unit: "none",
			lines: []line{
				{"sum(tidings_audit_streams)", "streams"},
				{"sum(rate(tidings_audit_events_total[$__rate_interval]))", "events a second"},
			},
		},
		{
			question: "Has it processors enough?", about: "Processors that each API uses.", unit: "none",
			lines: []line{{`sum by (instance) (rate(process_cpu_seconds_total{job="api"}[$__rate_interval]))`, "{{instance}}"}},
		},
		{
			question: "Has it memory enough?", about: "Memory of each API.", unit: "bytes",
			lines: []line{{`sum by (instance) (process_resident_memory_bytes{job="api"})`, "{{instance}}"}},
		},
	},
}
