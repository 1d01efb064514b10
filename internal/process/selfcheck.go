package process

import (
	"context"
	"errors"
	"time"

	"github.com/tidings-io/tidings/internal/projections"
	"github.com/tidings-io/tidings/internal/queries"
	"github.com/tidings-io/tidings/internal/selfcheck"
)

// SelfCheckFlags say how often the read model is doubted.
type SelfCheckFlags struct {
	SelfCheckEvery time.Duration `help:"Pause between two rounds that compare the tables of some users with the log; 0 checks nothing." default:"${self_check_every}" env:"TIDINGS_SELF_CHECK_EVERY"`
}

// Validate refuses what means nothing.
func (f SelfCheckFlags) Validate() error {
	if f.SelfCheckEvery < 0 {
		return errors.New("--self-check-every must not be negative")
	}
	return nil
}

// selfCheck compares tables and log now and then, while this process leads.
func (p Projector) selfCheck(ctx context.Context, inbox *projections.Versions) error {
	return selfcheck.Job{
		Log: p.Store, Tables: queries.New(p.Pool, queries.Options{Logger: p.Logger}), Every: p.SelfCheckEvery,
		Leads: func() bool { return leads(inbox.Status().State) }, Logger: p.Logger, Metrics: selfcheck.NewMetrics(p.Registry),
	}.Run(ctx)
}

// leads says whether a projector in this state is the one whose tables readers see.
func leads(state projections.State) bool {
	switch state {
	case projections.StateRunning, projections.StatePaused, projections.StateHalted:
		return true
	default:
		return false
	}
}
