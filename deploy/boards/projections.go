package main

var projections = board{
	title: "Tidings: projections", about: "How far the read model is, what it costs, whether it is right, and rebuilds.", links: []string{"overview"},
	panels: []panel{
		{
			question: "Who projects?", about: "1 for the process that applies events.", unit: "none",
			lines: []line{{"max by (instance) (tidings_projection_active)", "{{instance}}"}},
		},
		{
			question: "Is it halted?", about: "1 while it is at an event that it cannot apply.", unit: "none",
			limit: limit{alert: "TidingsProjectionHalted", at: 1}, lines: []line{{"max by (projection) (tidings_projection_halted)", "{{projection}}"}},
		},
		{
			question: "Is it paused?", about: "1 while an operator has it paused.", unit: "none",
			limit: limit{alert: "TidingsProjectionPaused", at: 1}, lines: []line{{"max by (projection) (tidings_projection_paused)", "{{projection}}"}},
		},
		{
			question: "How far behind is it?", about: "Positions between the read model and the head of the log.", unit: "none",
			lines: []line{{"max by (projection) (tidings_projection_lag_events)", "{{projection}}"}},
		},
		{
			question: "For how long?", about: "Age of the oldest event that was read and is not applied.", unit: "s",
			limit: limit{alert: "TidingsProjectionBehind", at: 10}, lines: []line{{"max by (projection) (tidings_projection_lag_seconds)", "{{projection}}"}},
		},
		{
			question: "How long until an inbox has it?", about: "From an append to the commit that makes it visible.", unit: "s",
			limit: limit{alert: "TidingsInboxSlow", at: 1}, lines: quantiles("tidings_projection_append_to_inbox_seconds", "projection"),
		},
		{
			question: "How far has it come?", about: "Position of the read model.", unit: "none",
			lines: []line{{"max by (projection) (tidings_projection_position)", "{{projection}}"}},
		},
		{
			question: "Does it work in batches?", about: "Events in one transaction.", unit: "none", lines: []line{mean("tidings_projection_batch_events")},
		},
		{
			question: "Is Postgres the bottleneck?", about: "How long one transaction takes.", unit: "s", lines: quantiles("tidings_projection_batch_duration_seconds", ""),
		},
		{
			question: "Are there connections enough?", about: "Connections of each pool by state, and how many it may have.", unit: "none",
			lines: []line{
				{"sum by (instance, state) (tidings_postgres_connections)", "{{instance}} {{state}}"},
				{"max by (instance) (tidings_postgres_connections_max)", "{{instance}} may have"},
			},
		},
		{
			question: "Who waits for a connection?", about: "Requests that wait at any moment, and how often one begins to, a second.", unit: "none",
			limit: limit{alert: "TidingsPoolExhausted", at: 1},
			lines: []line{
				{"sum by (instance) (rate(tidings_postgres_wait_seconds_total[$__rate_interval]))", "{{instance}} wait"},
				{"sum by (instance) (rate(tidings_postgres_waits_total[$__rate_interval]))", "{{instance}} begin"},
			},
		},
		{
			question: "Which version serves, and which is rebuilt?", about: "Versions of the read model; 0: none.", unit: "none",
			lines: []line{
				{"max by (projection) (tidings_projection_serving_version)", "{{projection}} serves"},
				{"max by (projection) (tidings_projection_rebuild_version)", "{{projection}} is rebuilt"},
			},
		},
		{
			question: "How far has the rebuild come?", about: "Of the log as it is now; 0 without a rebuild.", unit: "percentunit",
			lines: []line{{"max by (projection) (tidings_projection_rebuild_progress_ratio)", "{{projection}}"}},
		},
		{
			question: "How fast is it?", about: "Events that the rebuild folds in a second.", unit: "ops",
			lines: []line{{"max by (projection) (tidings_projection_rebuild_rate_events)", "{{projection}}"}},
		},
		{
			question: "How long will it take yet?", about: "At its present speed; 0 also where that is not known.", unit: "s",
			lines: []line{{"max by (projection) (tidings_projection_rebuild_left_seconds)", "{{projection}}"}},
		},
		{
			question: "Whom does a rebuild show something else?", about: "Users whose inbox differs between the versions.", unit: "none",
			limit: limit{alert: "TidingsVersionsDiffer", at: 0}, lines: []line{{"max by (projection) (tidings_projection_parity_differing_users)", "{{projection}}"}},
		},
		{
			question: "When were the tables compared with the log?", about: "Time since the last round of the self-check was finished.", unit: "s",
			limit: limit{alert: "TidingsSelfCheckOverdue", at: 3 * 3600}, lines: []line{{"time() - max(tidings_selfcheck_last_timestamp_seconds)", "ago"}},
		},
		{
			question: "What did the self-check find?", about: "Since the projectors were started.", unit: "none",
			lines: []line{
				{"sum(tidings_selfcheck_users_total)", "users compared"},
				{"sum(tidings_selfcheck_differences_total)", "differences"},
				{"sum(tidings_selfcheck_failures_total)", "rounds not finished"},
			},
		},
		{
			question: "How long does a round take?", about: "The last one of the self-check.", unit: "s",
			lines: []line{{"max(tidings_selfcheck_duration_seconds)", "last round"}},
		},
		{
			question: "Is what is hidden being deleted?", about: "Rows a second.", unit: "ops",
			lines: []line{{"sum by (projection) (rate(tidings_projection_cleaned_rows_total[$__rate_interval]))", "{{projection}}"}},
		},
	},
}
