package httpapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// upload makes a document with these fields of the request.
func (f *fixture) upload(t *testing.T, fields map[string]any) string {
	t.Helper()
	request := map[string]any{"filename": "manual.txt", "file_size": 5, "content_type": "text/plain"}
	for name, v := range fields {
		request[name] = v
	}
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	var up Presigned
	f.post(t, presignPath, string(body)).into(t, 201, &up)
	return up.DocumentID
}

const documentsPath = "/api/v1/documents"

func TestListDocuments(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Server) {
		f := online(t, r, nil)
		if got := f.get(t, documentsPath); got.Status != 200 || strings.TrimSpace(string(got.Body)) != `{"documents":[],"next_cursor":null,"total":0}` {
			t.Fatalf("nothing there: %d %s", got.Status, got.Body)
		}
		var ids []string
		for range 5 {
			ids = append(ids, f.upload(t, map[string]any{"title": "Relatório Anual", "tags": []string{"a, b", "Ç"}}))
		}
		slices.Sort(ids) // some may be of one millisecond
		slices.Reverse(ids)
		other := f.upload(t, map[string]any{"filename": "fatura.txt"})
		list := func(query string) DocumentList {
			t.Helper()
			var page DocumentList
			f.get(t, documentsPath+query).into(t, 200, &page)
			return page
		}
		all := list("")
		if len(all.Documents) != 6 || *all.Total != 6 || all.NextCursor != nil {
			t.Errorf("%+v", all)
		}
		for query, want := range map[string]int{"?status=awaiting_upload": 6, "?status=completed": 0, "?status=": 6, "?search=fatura": 1, "?search=RELATORIO+manual": 5,
			"?tag=" + url.QueryEscape("a, b"): 5, "?tag=a": 0, "?tag=%C3%A7": 0, "?tag=%C3%87&status=awaiting_upload": 5, "?sha256=" + strings.Repeat("A", 64): 0} {
			if got := list(query); len(got.Documents) != want {
				t.Errorf("%s: %d documents, want %d", query, len(got.Documents), want)
			}
		}
		page := list("?search=anual&limit=3")
		if len(page.Documents) != 3 || page.NextCursor == nil || page.Total != nil || page.Documents[0].ID != ids[0] {
			t.Fatalf("%+v", page)
		}
		rest := list("?search=anual&limit=3&cursor=" + *page.NextCursor)
		if len(rest.Documents) != 2 || rest.NextCursor != nil || rest.Documents[1].ID != ids[4] {
			t.Errorf("%+v", rest)
		}
		p := f.get(t, documentsPath+"?limit=3&cursor="+*page.NextCursor).problem(t, 422, "invalid_request")
		if p.Errors[0].Location != "query.cursor" {
			t.Errorf("%+v", p.Errors)
		}
		var single document.Document
		f.get(t, documentsPath+"/"+other).into(t, 200, &single)
		listed, _ := json.Marshal(list("?search=fatura").Documents)
		if alone, _ := json.Marshal([]*document.Document{&single}); string(listed) != string(alone) {
			t.Errorf("listed %s\nalone %s", listed, alone)
		}
	})
}

func TestBadListQueries(t *testing.T) {
	t.Parallel()
	f := online(t, redistest.Start(t, redistest.Miniredis), nil)
	for query, location := range map[string]string{
		"limit=0": "query.limit", "limit=101": "query.limit", "limit=x": "query.limit", "status=done": "query.status",
		"stauts=failed": "query.stauts", "offset=10": "query.offset", "tag=a&tag=b": "query.tag", "tag=a%00b": "query.tag", "tag=%FF": "query.tag",
		"tag=" + strings.Repeat("x", 51): "query.tag", "search=%3F%3F": "query.search", "search=" + strings.Repeat("x", 256): "query.search",
		"sha256=abc": "query.sha256", "cursor=abc": "query.cursor", "cursor=" + strings.Repeat("A", 300): "query.cursor",
	} {
		r := f.get(t, documentsPath+"?"+query)
		if p := r.problem(t, 422, "invalid_request"); len(p.Errors) == 0 || p.Errors[0].Location != location {
			t.Errorf("%s: %s", query, r.Body)
		}
	}
}

// They are not taken for the id of a document.
func TestStatsAndUsage(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Server) {
		f := online(t, r, nil)
		f.upload(t, nil)
		var stats document.Stats
		f.get(t, documentsPath+"/stats").into(t, 200, &stats)
		if stats.Documents != 1 || stats.ByStatus[document.AwaitingUpload] != 1 || len(stats.ByStatus) != len(document.States()) || stats.CreatedLastHour != 1 || stats.Finished.PerMinute != nil {
			t.Errorf("%+v", stats)
		}
		u := f.get(t, documentsPath+"/usage")
		if want := `{"stored_bytes":0,"text_bytes":0,"pages":0,"words":0,"chunks":0,"measured_at":null,"uploads":{"objects":0,"bytes":0},` +
			`"artifacts":{"objects":0,"bytes":0},"originals":{"objects":0,"bytes":0},"other":{"objects":0,"bytes":0}}`; u.Status != 200 || strings.TrimSpace(string(u.Body)) != want {
			t.Errorf("%d %s", u.Status, u.Body)
		}
		f.get(t, documentsPath+"/stats?x=1").problem(t, 422, "invalid_request")
		f.get(t, documentsPath+"/statistics").problem(t, 422, "invalid_request") // no UUID
	})
}

func (f *fixture) patch(t *testing.T, id, body string, headers ...string) reply {
	t.Helper()
	return f.do(t, http.MethodPatch, documentsPath+"/"+id, body, headers...)
}

func TestPatchDocument(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Server) {
		f := online(t, r, nil)
		id := f.upload(t, map[string]any{"title": "Manual", "description": "old", "tags": []string{"a"}})
		for _, c := range []struct{ body, want string }{
			{``, "Manual|old|a"},
			{`{}`, "Manual|old|a"},
			{`{"title": null, "description": null, "tags": null}`, "Manual|old|a"},
			{`{"title": " Novo <título> "}`, "Novo <título>|old|a"},
			{`{"description": "", "tags": ["b, c", "B", "b, c"]}`, "Novo <título>||b, c;B"},
			{`{"title": "", "tags": []}`, "||"},
		} {
			var d document.Document
			f.patch(t, strings.ToUpper(id), c.body).into(t, 200, &d)
			got := d.Title + "|" + d.Description + "|" + strings.Join(d.Tags, ";")
			if got != c.want || d.ID != id || d.JobID != "" {
				t.Errorf("%s: %s, want %s (%+v)", c.body, got, c.want, d)
			}
			var read document.Document
			f.get(t, documentsPath+"/"+id).into(t, 200, &read)
			if read.Title != d.Title || !read.UpdatedAt.Equal(d.UpdatedAt) || read.Tags == nil {
				t.Errorf("%s: answered %+v, read %+v", c.body, d, read)
			}
		}
	})
}

func TestBadPatches(t *testing.T) {
	t.Parallel()
	f := online(t, redistest.Start(t, redistest.Miniredis), nil)
	id := f.upload(t, nil)
	for body, location := range map[string]string{
		`{"title": 5}`: "body.title", `{"tags": "a"}`: "body.tags", `{"tags": [""]}`: "body.tags", `{"tags": [5]}`: "body.tags[0]", `{"status": "completed"}`: "body.status",
		`{"title": "` + strings.Repeat("x", 256) + `"}`: "body.title", `{"description": "a\u0000b"}`: "body.description", `{"title": "a\nb"}`: "body.title",
		`{"tags": ["1","2","3","4","5","6","7","8","9","10","11"]}`: "body.tags", `{"tags": ["` + strings.Repeat("x", 51) + `"]}`: "body.tags[0]",
		`[]`: "body", `null`: "body",
	} {
		r := f.patch(t, id, body)
		if p := r.problem(t, 422, "invalid_request"); len(p.Errors) == 0 || p.Errors[0].Location != location {
			t.Errorf("%.80s: %s", body, r.Body)
		}
	}
	f.patch(t, id, `{"title"`).problem(t, 422, "invalid_json")
	f.patch(t, "x", `{}`).problem(t, 422, "invalid_request")
	f.patch(t, "0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d", `{"title": "x"}`).problem(t, 404, "document_not_found")
	f.patch(t, id, `{"title": "x"}`, "Content-Type", "text/plain").problem(t, 415, "unsupported_media_type")
	f.patch(t, id, `{"title": "x"}`, "Sec-Fetch-Site", "cross-site").problem(t, 403, "cross_origin")
	f.patch(t, id, `{"title": "`+strings.Repeat("x", 70<<10)+`"}`).problem(t, 413, "body_too_large")
}

func TestCatalogWithoutRedis(t *testing.T) {
	t.Parallel()
	f := offline(t, nil)
	for _, path := range []string{"", "?search=x", "/stats", "/usage"} {
		f.get(t, documentsPath+path).problem(t, 503, "queue_unavailable")
	}
	f.patch(t, "0d6b5c1e-58a5-7f0e-9d4c-6f0a8a1c2b3d", `{"title": "x"}`).problem(t, 503, "queue_unavailable")
	f.remove(t, "0d6b5c1e-58a5-7f0e-9d4c-6f0a8a1c2b3d").problem(t, 503, "queue_unavailable")
}

func (f *fixture) remove(t *testing.T, id string, headers ...string) reply {
	t.Helper()
	return f.do(t, http.MethodDelete, documentsPath+"/"+id, "", headers...)
}

func TestDeleteDocument(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Server) {
		f := online(t, r, nil)
		up, accepted := f.process(t, "twelve bytes")
		other := f.upload(t, map[string]any{"tags": []string{"stays"}})
		if got := f.remove(t, strings.ToUpper(up.DocumentID)); got.Status != 204 || len(got.Body) != 0 {
			t.Fatalf("answered %d %s", got.Status, got.Body)
		}
		path := documentsPath + "/" + up.DocumentID
		f.remove(t, up.DocumentID).problem(t, 404, "document_not_found")
		for _, part := range []string{"", "/status", "/text", "/chunks", "/thumbnail", "/original"} {
			f.get(t, path+part).problem(t, 404, "document_not_found")
		}
		f.post(t, path+"/process", `{"upload_id": "`+up.UploadID+`"}`).problem(t, 404, "document_not_found")
		f.patch(t, up.DocumentID, `{"title": "x"}`).problem(t, 404, "document_not_found")
		f.get(t, "/api/v1/queue/job/"+accepted.JobID).problem(t, 404, "job_not_found")
		var page DocumentList
		f.get(t, documentsPath).into(t, 200, &page)
		if len(page.Documents) != 1 || page.Documents[0].ID != other || *page.Total != 1 {
			t.Errorf("listed: %+v", page)
		}
		f.remove(t, other, "Sec-Fetch-Site", "cross-site").problem(t, 403, "cross_origin")
		f.remove(t, "stats").problem(t, 422, "invalid_request")
		f.remove(t, other+"?force=1").problem(t, 422, "invalid_request")
		f.get(t, documentsPath+"/"+other).into(t, 200, &document.Document{})
	})
}
