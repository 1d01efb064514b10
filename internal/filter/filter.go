package filter

import (
	"errors"
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"
)

const (
	// MaxRunes is how long a filter may be.
	MaxRunes = 2000
	// costLimit bounds one evaluation, in the units of cel-go: about a comparison
	// each, so that the most expensive filter takes some milliseconds.
	costLimit = 10_000
	// recursion bounds how deeply a filter is nested.
	recursion = 50
	// maxPrograms is how many compiled filters are kept, at some 20 KiB each.
	maxPrograms = 4096
)

// Check says what is wrong with a filter, in the compiler's words; "" is the
// filter that lets everything through.
func Check(text string) error {
	if text == "" {
		return nil
	}
	_, err := compile(text)
	return err
}

// environment is what a filter may speak of.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(append(append(inOrder(), patterns()...),
		cel.Variable("title", cel.StringType),
		cel.Variable("severity", cel.StringType),
		cel.Variable("sender", cel.StringType),
		cel.Variable("topic", cel.StringType),
		cel.Variable("data", cel.MapType(cel.StringType, cel.DynType)),
		cel.ParserRecursionLimit(recursion),
		cel.ParserExpressionSizeLimit(MaxRunes*4), // in bytes, as UTF-8
	)...)
})

func compile(text string) (cel.Program, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("make the environment of filters: %w", err)
	}
	ast, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	if of := ast.OutputType(); !of.IsExactType(cel.BoolType) && !of.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("a filter is true or false, and this one gives %s", of)
	}
	program, err := env.Program(ast, cel.CostLimit(costLimit), paid(), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, err
	}
	return program, nil
}

// programs are the compiled filters; one that does not compile is kept as nil.
var programs = struct {
	mu   sync.Mutex
	kept map[string]cel.Program
}{kept: map[string]cel.Program{}}

// errNever is for a filter that does not compile: it was checked by a program
// that knew more, and matches nothing here.
var errNever = errors.New("the filter does not compile")

func programOf(text string) (cel.Program, error) {
	programs.mu.Lock()
	program, known := programs.kept[text]
	programs.mu.Unlock()
	if !known {
		program, _ = compile(text) // nil then, which is kept too
		programs.mu.Lock()
		defer programs.mu.Unlock()
		for other := range programs.kept { // some other makes room, whichever
			if len(programs.kept) < maxPrograms {
				break
			}
			delete(programs.kept, other)
		}
		programs.kept[text] = program
	}
	if program == nil {
		return nil, errNever
	}
	return program, nil
}
