package projections

import (
	"embed"
	"fmt"
)

//go:embed sql/*.sql
var statements embed.FS

// Each statement is in the file of its name.
var (
	sqlLockTry = statement("lock_try")

	sqlParityUsers          = statement("parity_users")
	sqlParityDigests        = overLines("parity_digests")
	sqlParityOrdered        = overLines("parity_ordered")
	sqlParityClear          = statement("parity_clear")
	sqlParityAdd            = statement("parity_add")
	sqlParityDifferencesAdd = statement("parity_differences_add")
	sqlParitySnapshot       = statement("parity_snapshot")
	sqlParityJoin           = statement("parity_join")

	sqlVersionsLock     = statement("versions_lock")
	sqlVersionsRead     = statement("versions_read")
	sqlVersionsAdd      = statement("versions_add")
	sqlVersionsUpdate   = statement("versions_update")
	sqlVersionsServe    = statement("versions_serve")
	sqlVersionsUnserve  = statement("versions_unserve")
	sqlVersionsDelete   = statement("versions_delete")
	sqlVersionsPath     = statement("versions_path")
	sqlVersionsPatience = statement("versions_patience")
	sqlVersionsViews    = statement("versions_views")
	sqlVersionsSchema   = statement("versions_schema")
	sqlVersionsDrop     = statement("versions_drop")

	sqlCheckpointBegin  = statement("checkpoint_begin")
	sqlCheckpointRead   = statement("checkpoint_read")
	sqlCheckpointLock   = statement("checkpoint_lock")
	sqlCheckpointMove   = statement("checkpoint_move")
	sqlCheckpointHalt   = statement("checkpoint_halt")
	sqlCheckpointResume = statement("checkpoint_resume")

	sqlUsersKnown         = statement("users_known")
	sqlUsersAdd           = statement("users_add")
	sqlTopicsKnown        = statement("topics_known")
	sqlTopicsAdd          = statement("topics_add")
	sqlTopicsChange       = statement("topics_change")
	sqlWriterKnown        = statement("writer_known")
	sqlClockAdd           = statement("clock_add")
	sqlAudiencesKnown     = statement("audiences_known")
	sqlAudiencesFiltered  = statement("audiences_filtered")
	sqlAudiencesAdd       = statement("audiences_add")
	sqlAudiencesChange    = statement("audiences_change")
	sqlPeriodsMuted       = statement("periods_muted")
	sqlMutesKnown         = statement("mutes_known")
	sqlPreferencesSet     = statement("preferences_set")
	sqlPeriodsKnown       = statement("periods_known")
	sqlPeriodsClose       = statement("periods_close")
	sqlPeriodsAdd         = statement("periods_add")
	sqlNotificationsKnown = statement("notifications_known")

	sqlNotificationsAdd     = statement("notifications_add")
	sqlNotificationsRetract = statement("notifications_retract")
	sqlRetractionsAdd       = statement("retractions_add")
	sqlAudienceTargetsAdd   = statement("audience_targets_add")
	sqlUserTargetsAdd       = statement("user_targets_add")
	sqlInboxAddUsers        = statement("inbox_add_users")
	sqlInboxAddMembers      = statement("inbox_add_members")
	sqlInboxAddBoth         = statement("inbox_add_both")
	sqlInboxEnd             = statement("inbox_end")

	sqlRetentionRead     = statement("retention_read")
	sqlRetentionKeep     = statement("retention_keep")
	sqlRetentionBounds   = statement("retention_bounds")
	sqlRetentionComplete = statement("retention_complete")
	sqlCleanUsers        = statement("clean_users")
	sqlCleanEnded        = statement("clean_ended")

	sqlChangesAdd  = statement("changes_add")
	sqlMarksChange = statement("marks_change")
	sqlWake        = statement("wake")
)

func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(fmt.Sprintf("projections: no statement %s: %v", name, err))
	}
	return string(text)
}

// overLines is a statement about the lines of a parity report.
func overLines(name string) string {
	return "with lines as (\n" + statement("parity_lines") + ")\n" + statement(name)
}
