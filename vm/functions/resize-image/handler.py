# POST an image, get it as wide as ?w= says (320), in the format that it had.

import io

from PIL import Image, UnidentifiedImageError

WIDEST = 4096
Image.MAX_IMAGE_PIXELS = 50_000_000     # more is a bomb, or takes all memory


def handle(request):
    if request.method != 'POST':
        return 'POST an image; ?w=320 says how wide it is to be\n', 405, {
            'Allow': 'POST'}

    try:
        width = int(request.query.get('w', '320'))
    except ValueError:
        width = 0

    if not 1 <= width <= WIDEST:
        return f'w must be a number from 1 to {WIDEST}\n', 400

    try:
        image = Image.open(io.BytesIO(request.body))
        image.load()
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError,
            Image.DecompressionBombWarning):
        return 'this is no image that can be read\n', 400

    height = max(1, round(image.height * width / image.width))
    out = io.BytesIO()
    image.resize((width, height)).save(out, image.format)

    return out.getvalue(), 200, {'Content-Type': Image.MIME[image.format]}
