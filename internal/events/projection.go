package events

// ProjectionEvent is what an operator ordered of a projection. Orders are events,
// so that who did what to the read models is in the log, and so that they hold
// when the read models are lost.
type ProjectionEvent interface {
	Event
	projection()
}

// Order is what every order has.
type Order struct {
	Projection string `json:"projection"`
	Reason     string `json:"reason,omitempty"` // in the operator's words
}

type (
	// RebuildOrdered wants a version folded anew from the beginning of the log,
	// beside those there are. It takes over as soon as it has caught up, unless it
	// is held.
	RebuildOrdered struct {
		Order

		Version int  `json:"version"` // one more than any before; the first of all is 1 and was never ordered
		Held    bool `json:"held,omitempty"`
	}
	// VersionActivated wants a version to serve readers as soon as it has caught up.
	VersionActivated struct {
		Order

		Version int `json:"version"`
	}
	// VersionDropped lets a version's tables go, as soon as it does not serve.
	VersionDropped struct {
		Order

		Version int `json:"version"`
	}
	// ProjectionPaused stops folding: the tables stay as they are.
	ProjectionPaused struct{ Order }
	// ProjectionResumed goes on folding.
	ProjectionResumed struct{ Order }
	// EventSkipped has every version pass over an event that cannot be applied.
	EventSkipped struct {
		Order

		Position Position `json:"position"`
	}
)

// Type is the stored type name.
func (RebuildOrdered) Type() string { return "RebuildOrdered" }

// Type is the stored type name.
func (VersionActivated) Type() string { return "VersionActivated" }

// Type is the stored type name.
func (VersionDropped) Type() string { return "VersionDropped" }

// Type is the stored type name.
func (ProjectionPaused) Type() string { return "ProjectionPaused" }

// Type is the stored type name.
func (ProjectionResumed) Type() string { return "ProjectionResumed" }

// Type is the stored type name.
func (EventSkipped) Type() string { return "EventSkipped" }

func (RebuildOrdered) projection()    {}
func (VersionActivated) projection()  {}
func (VersionDropped) projection()    {}
func (ProjectionPaused) projection()  {}
func (ProjectionResumed) projection() {}
func (EventSkipped) projection()      {}
