//! Looks at all there is in a message: the lengths of all its parts, added up.

use bytes::Bytes;
use oblivious_bhttp::Request;

pub(crate) fn ours(request: &Request) -> usize {
    let Request { head, content, trailers } = request;
    let control =
        head.method().len() + head.scheme().len() + head.authority().len() + head.path().len();
    let fields = head.fields.iter().chain(trailers.iter());
    control
        + fields.map(|field| field.name.len() + field.value.len()).sum::<usize>()
        + content.len()
}

pub(crate) fn bhttp(message: &bhttp::Message) -> usize {
    let control = message.control();
    let control = [control.method(), control.scheme(), control.authority(), control.path()];
    let control = control.into_iter().flatten().map(<[u8]>::len).sum::<usize>();
    let fields = message.header().iter().chain(message.trailer().iter());
    let fields = fields.map(|field| field.name().len() + field.value().len()).sum::<usize>();
    control + fields + message.content().len()
}

pub(crate) fn http<B>(request: &http::Request<B>, content: impl Fn(&B) -> &Bytes) -> usize {
    let uri = request.uri();
    let control = request.method().as_str().len() + uri.path().len();
    let fields = request.headers().iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
    control + fields + content(request.body()).len()
}
