package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the import path of the tree.
const module = "github.com/tidings-io/tidings"

// root is the tree, seen from this package, where tests run.
const root = "../.."

// skipped are directories that are not ours to judge: what git ignores, and modules of their own.
var skipped = []string{".git", ".bin", ".ci", "data", "node_modules", "testdata", "tools"}

// source is one Go file.
type source struct {
	dir  string // below the root, such as internal/events
	name string
	file *ast.File
	set  *token.FileSet
}

func (s source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

// at is a place in the file, to be clicked on.
func (s source) at(pos token.Pos) string {
	return path.Join(s.dir, s.name) + ":" + strconv.Itoa(s.set.Position(pos).Line)
}

// walk visits every file below the root whose name ends in suffix.
func walk(t *testing.T, suffix string, visit func(name string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(skipped, entry.Name()):
			return filepath.SkipDir
		case !entry.IsDir() && strings.HasSuffix(name, suffix):
			visit(name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sources parses the whole tree.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	walk(t, ".go", func(name string) {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		dir, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, source{dir: filepath.ToSlash(dir), name: filepath.Base(name), file: file, set: set})
	})
	if len(all) == 0 {
		t.Fatal("no Go files: the tests run at a wrong place")
	}
	return all
}

// imports are the file's imports by the name they have in it. Blank ones are named by their path.
func (s source) imports(t *testing.T) map[string]*ast.ImportSpec {
	t.Helper()
	named := map[string]*ast.ImportSpec{}
	for _, spec := range s.file.Imports {
		name := defaultName(imported(t, spec))
		if spec.Name != nil && spec.Name.Name != "_" {
			name = spec.Name.Name
		}
		named[name] = spec
	}
	return named
}

func imported(t *testing.T, spec *ast.ImportSpec) string {
	t.Helper()
	unquoted, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		t.Fatal(err)
	}
	return unquoted
}

// defaultName is the package's name as far as the path tells: math/rand/v2 is rand.
func defaultName(importPath string) string {
	base := path.Base(importPath)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(importPath))
	}
	return base
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// below tells whether the path is the prefix or lies under it.
func below(importPath, prefix string) bool {
	return importPath == prefix || strings.HasPrefix(importPath, prefix+"/")
}
