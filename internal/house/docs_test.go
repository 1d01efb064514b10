package house

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// link is [text](target), images too; code spans and fences are cut away before.
var (
	link      = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)>?[^)]*\)`)
	reference = regexp.MustCompile(`(?m)^\[[^\]]+\]:\s+(\S+)`)
	fence     = regexp.MustCompile("(?s)(?:^|\n)[ \t]*```.*?\n[ \t]*```[ \t]*")
	span      = regexp.MustCompile("`[^`\n]*`")
	heading   = regexp.MustCompile(`(?m)^#{1,6}\s+(.+?)\s*#*$`)
)

func TestDocsLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	walk(t, ".md", func(name string) {
		text := span.ReplaceAllString(fence.ReplaceAllString(read(t, name), ""), "")
		for _, target := range targets(text) {
			if problem := follow(t, name, target); problem != "" {
				t.Errorf("%s: link to %s: %s", name, target, problem)
			}
		}
	})
}

func targets(markdown string) []string {
	var all []string
	for _, pattern := range []*regexp.Regexp{link, reference} {
		for _, match := range pattern.FindAllStringSubmatch(markdown, -1) {
			all = append(all, match[1])
		}
	}
	return all
}

// follow returns what is wrong with a link, nothing if it leads out of the tree.
func follow(t *testing.T, from, target string) string {
	t.Helper()
	parsed, err := url.Parse(target)
	if err != nil {
		return err.Error()
	}
	if parsed.Scheme != "" || parsed.Host != "" {
		return ""
	}
	file := from
	if parsed.Path != "" {
		file = filepath.Join(filepath.Dir(from), filepath.FromSlash(parsed.Path))
	}
	if strings.HasPrefix(parsed.Path, "/") {
		return "is absolute: it leads nowhere in a clone"
	}
	if outside, err := filepath.Rel(root, file); err != nil || strings.HasPrefix(outside, "..") {
		return "leads out of the tree"
	}
	if _, err := os.Stat(file); err != nil {
		return "there is no such file"
	}
	if parsed.Fragment != "" && strings.HasSuffix(file, ".md") && !anchors(read(t, file))[parsed.Fragment] {
		return "there is no such heading"
	}
	return ""
}

// anchors are the headings in the form that links use: lower case, spaces to hyphens,
// punctuation dropped.
func anchors(markdown string) map[string]bool {
	all := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(markdown, ""), -1) {
		title := strings.ReplaceAll(match[1], "`", "")
		anchor := strings.Map(func(r rune) rune {
			switch {
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			case r == ' ':
				return '-'
			}
			return -1
		}, title)
		all[anchor] = true
	}
	return all
}
