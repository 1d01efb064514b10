package commands

import (
	"testing"

	"github.com/tidings-io/tidings/internal/events"
)

func TestProjection(t *testing.T) {
	t.Parallel()
	type given = []events.ProjectionEvent
	inbox := events.Order{Projection: "inbox", Reason: "because"}
	second := events.RebuildOrdered{Order: inbox, Version: 2}
	check(t, map[string]spec[Projection, events.ProjectionEvent]{
		"the first rebuild makes version 2": {
			when: Rebuild{Order: inbox, Version: 2}, then: given{second},
		},
		"a rebuild may be held": {
			when: Rebuild{Order: inbox, Version: 2, Held: true},
			then: given{events.RebuildOrdered{Order: inbox, Version: 2, Held: true}},
		},
		"a rebuild ordered before is not ordered again": {
			given: given{second}, when: Rebuild{Order: inbox, Version: 2, Held: true},
		},
		"nor is one that was dropped since": {
			given: given{
				second, events.VersionActivated{Order: inbox, Version: 1}, events.VersionDropped{Order: inbox, Version: 2},
			},
			when: Rebuild{Order: inbox, Version: 2},
		},
		"a rebuild leaves out no version": {
			when: Rebuild{Order: inbox, Version: 3}, refused: CodeVersionNotFound,
		},
		"a version that was replaced can be activated": {
			given: given{second}, when: Activate{Order: inbox, Version: 1},
			then: given{events.VersionActivated{Order: inbox, Version: 1}},
		},
		"a version that was held can be activated": {
			given: given{events.RebuildOrdered{Order: inbox, Version: 2, Held: true}}, when: Activate{Order: inbox, Version: 2},
			then: given{events.VersionActivated{Order: inbox, Version: 2}},
		},
		"a version that is wanted is not activated again": {
			given: given{second}, when: Activate{Order: inbox, Version: 2},
		},
		"the first version is wanted unasked": {
			when: Activate{Order: inbox, Version: 1},
		},
		"a version nobody ordered cannot be activated": {
			when: Activate{Order: inbox, Version: 2}, refused: CodeVersionNotFound,
		},
		"a version that was dropped cannot be activated": {
			given: given{second, events.VersionDropped{Order: inbox, Version: 1}},
			when:  Activate{Order: inbox, Version: 1}, refused: CodeVersionNotFound,
		},
		"a version that was replaced can be dropped": {
			given: given{second}, when: Drop{Order: inbox, Version: 1},
			then: given{events.VersionDropped{Order: inbox, Version: 1}},
		},
		"a held version can be dropped": {
			given: given{events.RebuildOrdered{Order: inbox, Version: 2, Held: true}}, when: Drop{Order: inbox, Version: 2},
			then: given{events.VersionDropped{Order: inbox, Version: 2}},
		},
		"the version that is wanted cannot be dropped": {
			given: given{second}, when: Drop{Order: inbox, Version: 2}, refused: CodeVersionWanted,
		},
		"a version nobody ordered cannot be dropped": {
			when: Drop{Order: inbox, Version: 7}, refused: CodeVersionNotFound,
		},
		"there is no version 0": {
			when: Drop{Order: inbox}, refused: CodeVersionNotFound,
		},
		"folding is paused": {
			when: Pause{inbox}, then: given{events.ProjectionPaused{Order: inbox}},
		},
		"folding goes on": {
			given: given{events.ProjectionPaused{Order: inbox}}, when: Resume{inbox},
			then: given{events.ProjectionResumed{Order: inbox}},
		},
		"what is not paused is not resumed": {when: Resume{inbox}},
		"an event is skipped": {
			when: Skip{inbox, 70}, then: given{events.EventSkipped{Order: inbox, Position: 70}},
		},
		"an event is skipped once": {
			given: given{events.EventSkipped{Order: inbox, Position: 70}}, when: Skip{inbox, 70},
		},
		"another event is skipped too": {
			given: given{events.EventSkipped{Order: inbox, Position: 70}}, when: Skip{inbox, 80},
			then: given{events.EventSkipped{Order: inbox, Position: 80}},
		},
	})
}
