"""The words of the generated fashion catalogue: what a trait is, how shops write it, how people ask.

A trait has a hidden key and two vocabularies that overlap only in part: `listed` words go into titles
and descriptions, `asked` words into queries. Brands and model names are invented.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Concept:
    """One trait value, such as the feature `waterproof`.

    key: hidden name, the one that grades compare.
    listed: how shops write it in a title.
    asked: how people type it in a query.
    told: sentences of a description that hold for it, mostly without naming it.
    """

    key: str
    listed: tuple[str, ...]
    asked: tuple[str, ...]
    told: tuple[str, ...] = ()


def split_words(cell: str) -> tuple[str, ...]:
    """The comma-separated words of a cell.

    >>> split_words("jumper, sweater")
    ('jumper', 'sweater')
    """
    return tuple(word.strip() for word in cell.split(",") if word.strip())


def parse_rows(table: str) -> list[list[str]]:
    """The cells of a table written as `a | b | c` lines; a line `> text` adds a cell to its row.

    >>> parse_rows("a | b, c" + chr(10) + "> A sentence.")
    [['a', 'b, c', 'A sentence.']]
    """
    rows: list[list[str]] = []
    for line in filter(None, map(str.strip, table.splitlines())):
        if line.startswith(">"):
            rows[-1].append(line[1:].strip())
        else:
            rows.append([cell.strip() for cell in line.split("|")])
    return rows


def parse_concepts(table: str) -> dict[str, Concept]:
    """Concepts by key, from lines `key | listed words | asked words` and their `> sentences`."""
    rows = parse_rows(table)
    return {
        key: Concept(key, split_words(listed), split_words(asked), tuple(told))
        for key, listed, asked, *told in rows
    }


COLOURS = parse_concepts("""
black  | black, jet, onyx, noir             | black
white  | white, ivory, chalk, snow          | white, off white
grey   | grey, charcoal, slate, ash         | grey, gray
navy   | navy, midnight, ink                | navy, dark blue
blue   | blue, cobalt, azure, denim blue    | blue
red    | red, scarlet, crimson, ruby        | red
green  | green, olive, sage, forest         | green
brown  | brown, cognac, chestnut, mocha     | brown, tan
beige  | beige, sand, ecru, camel           | beige, cream
pink   | pink, blush, rose, fuchsia         | pink
purple | purple, lilac, plum, aubergine     | purple, violet
yellow | yellow, mustard, lemon             | yellow
orange | orange, rust, apricot              | orange
""")

MATERIALS = parse_concepts("""
cotton    | cotton, organic cotton, jersey           | cotton
wool      | wool, merino, lambswool                  | wool, woollen, merino
cashmere  | cashmere, cashmere blend                 | cashmere
linen     | linen, washed flax, linen blend          | linen
silk      | silk, mulberry silk, charmeuse           | silk, silky
viscose   | viscose, modal, lyocell                  | viscose
denim     | denim, selvedge twill, washed denim      | denim
corduroy  | corduroy, needlecord                     | corduroy, cord
velvet    | velvet, velour                           | velvet
leather   | leather, full-grain hide, calfskin       | leather, real leather
vegan     | faux leather, vegan leather, PU          | vegan leather, fake leather
suede     | suede, nubuck                            | suede
canvas    | canvas, waxed canvas, sailcloth          | canvas
nylon     | nylon, ripstop, polyamide                | nylon
polyester | polyester, microfibre, softshell         | polyester
fleece    | fleece, sherpa, teddy pile               | fleece
mesh      | mesh, engineered knit, airmesh           | mesh
rubber    | rubber, natural caoutchouc               | rubber
steel     | stainless steel, brushed metal           | steel, metal
silver    | sterling silver, 925 silver              | silver
gold      | gold-plated, 14k gilt                    | gold
straw     | straw, raffia, woven seagrass            | straw
acetate   | acetate, tortoiseshell resin             | plastic
""")

FEATURES = parse_concepts("""
waterproof | waterproof, rain-repellent, weatherproof | waterproof, rainproof, for rain
> Taped seams keep you dry in a downpour.
> Drops simply roll off, however long the shower.
> The membrane lets no water through.
windproof | windproof, windstopper | windproof, for windy days
> Blocks gusts even on an exposed ridge.
> A dense weave that a breeze cannot get through.
warm | thermal, insulated, fleece-lined, cosy | warm, winter, cosy
> Holds body heat when the thermometer drops below zero.
> A snug lining for the coldest months.
> Made for frosty mornings.
light | lightweight, featherlight, airy | lightweight, light, summer
> You will hardly notice the weight.
> Barely there in the heat of July.
breathable | breathable, ventilated | breathable, for hot weather
> Air circulates freely, so sweat evaporates quickly.
> Perforated zones let heat escape.
stretch | stretch, flex, four-way stretch | stretchy, elastic
> Moves with you thanks to a touch of elastane.
> Gives at every bend and springs back.
packable | packable, foldaway | packable, foldable
> Folds into its own pocket.
> Rolls up to the size of a fist.
reflective | reflective, hi-vis | reflective, high visibility
> Bright strips are seen by drivers at night.
> Headlights pick up the trim from afar.
recycled | recycled, eco, responsible | recycled, sustainable, eco friendly
> Spun from discarded bottles and fishing nets.
> Second life for yarn that would have been thrown away.
quick_dry | quick-dry, fast-drying | quick drying, dries fast
> Ready to wear again an hour after the wash.
> Moisture is gone in minutes.
easy_care | non-iron, easy-care, crease-resistant | no iron, wrinkle free
> Straight from the machine to the hanger, no pressing needed.
> Stays smooth after a day in a case.
soft | brushed, super-soft, buttery | soft
> Gentle against sensitive skin.
> Feels like a cuddle.
cushioned | cushioned, memory-foam, padded-sole | cushioned, comfortable
> Foam underfoot absorbs every impact.
> Easy on the heels after ten hours standing.
grip | non-slip, lug-sole, anti-skid | non slip, good grip
> A deep tread holds on ice and wet tiles.
> Sure footing on slick ground.
wide | wide-fit, roomy-toe | wide fit, for wide feet
> Extra space across the toes.
> Cut on a generous last for broader feet.
uv | polarised, UV400, sun-protective | uv protection, sun protection
> Filters harmful rays on the brightest days.
> Shields you from glare.
laptop | laptop, tech, notebook-ready | laptop, for 15 inch laptop
> A padded sleeve holds a 15-inch computer.
> Keeps your notebook and charger apart from lunch.
secure | RFID, lockable, anti-theft | anti theft, secure
> Pickpockets will not find the hidden zip.
> Blocks card skimming.
""")

OCCASIONS = parse_concepts("""
everyday | everyday, casual, daily | everyday, casual
> For any day of the week.
> An easy choice for weekends.
running | running, jogging, race | running, for running, jogging
> Tested over many kilometres by marathon finishers.
> Made for tempo miles in the park.
gym | training, workout, studio | gym, for gym, workout
> From squats to sun salutations.
> Ready for a session with weights.
hiking | hiking, trekking, trail | hiking, for hiking, walking
> At home on mountain paths.
> For long days in the hills.
office | business, office, work | office, for work, business
> Smart enough for the Monday meeting.
> Looks right at a desk and in front of a client.
wedding | ceremony, wedding, occasion | wedding, for a wedding, wedding guest
> For the guest who plans to dance after the vows.
> Made for big days and family photographs.
party | party, evening, cocktail | party, for a party, going out
> Turns heads when the lights go down.
> For late dinners and dance floors.
beach | beach, resort, vacation | beach, holiday, for the beach
> For sandy towels and sea breeze.
> Goes straight in the bag for the seaside.
travel | travel, voyager | travel, for travelling
> A good companion on long flights.
> Fits the rules of most airlines and most adventures.
school | school, campus | school, for school
> Survives the playground and the bus ride.
> For lessons, breaks and homework.
skiing | ski, snow, alpine | ski, skiing, snow
> Made for chairlifts and powder.
> For days on the piste.
cycling | cycling, commuter, bike | cycling, for cycling, bike
> Cut for the saddle, with a longer back.
> For the ride to work.
home | lounge, home, sleep | home, lounging
> For slow Sundays on the sofa.
> From bed to breakfast.
""")

PATTERNS = parse_concepts("""
plain | |
floral | floral, blossom-print, botanical | floral, flowery, flower print
> Covered in tiny blooms.
> A garden of petals from top to bottom.
striped | striped, Breton, pinstripe | striped, stripy, with stripes
> Horizontal lines in the sailor tradition.
> Fine lines run along the cloth.
checked | checked, plaid, tartan, gingham | checked, plaid, tartan
> Woven in a Highland grid.
> Small squares, woven rather than printed.
dotted | polka-dot, spotted | polka dot, dotted
> Round spots scattered all over.
> Dots large and small.
animal | leopard, zebra-print, snake-effect | animal print, leopard print
> A wild motif borrowed from the savannah.
> Big-cat markings for the bold.
""")

FITS = parse_concepts("""
regular | |
slim | slim, skinny, fitted | slim fit, skinny, fitted
> Narrow, close to the body.
> Hugs the figure.
loose | relaxed, oversized, boxy, loose | loose, oversized, baggy
> Plenty of room, size down if in doubt.
> A generous cut that hangs away from the body.
cropped | cropped, short-length | cropped, short
> Ends a hand's breadth higher than usual.
> Finishes early for a modern line.
""")

AUDIENCES = parse_concepts("""
women  | women's, ladies', for her     | women, womens, ladies
men    | men's, gents', for him        | men, mens, for him
girls  | girls', kids', junior         | girls, for girls
boys   | boys', kids', junior          | boys, for boys
kids   | kids'                         | kids, children
unisex | unisex, all-gender            | unisex
""")

ASPECTS = {
    "colour": COLOURS,
    "material": MATERIALS,
    "feature": FEATURES,
    "occasion": OCCASIONS,
    "pattern": PATTERNS,
    "fit": FITS,
    "audience": AUDIENCES,
}
"""The traits that a query can ask for; `audience` is the only one that cannot be compromised on."""

SERVES = {
    "women": ("women",),
    "men": ("men",),
    "girls": ("girls", "kids"),
    "boys": ("boys", "kids"),
    "unisex": ("women", "men", "unisex"),
}
"""Who can wear a product, by its `gender` field."""

BRANDS = {
    "Oskelund": 1.1, "Tavrikka": 0.9, "Brambleday": 0.8, "Quillmoor": 1.3, "Fennharrow": 1.2,
    "Isoldune": 1.6, "Kestrelby": 1.0, "Lunaquay": 0.9, "Morrowfell": 1.2, "Nimbrix": 0.7,
    "Ondawick": 0.8, "Pippinstead": 0.6, "Quorvane": 1.9, "Ruskovale": 1.0, "Saltmarrow": 1.1,
    "Thistlewynn": 1.4, "Ulvenmark": 1.3, "Vezzolira": 2.2, "Wrenlocke": 1.0, "Yarrowgate": 0.9,
    "Zolfinel": 1.5, "Ambervoss": 1.1, "Birchtollen": 0.8, "Corvanelle": 1.7, "Dunmirrow": 0.7,
    "Eldraquist": 1.2, "Farrowlind": 0.9, "Glimmerhof": 0.6, "Hexalpine": 1.4, "Jorvanta": 1.0,
}  # fmt: skip
"""Invented brands and the factor by which their prices differ from the usual price of a kind."""

MODEL_NAMES = split_words("""
Alder, Brisa, Calix, Dovra, Elowen, Fjella, Garda, Halden, Indra, Juno, Kelda, Lorne, Maren, Nyssa,
Orla, Perrin, Quill, Ronan, Sorrel, Tamsin, Ursa, Vesper, Willa, Xanthe, Yorick, Zinnia, Arlo, Bodhi,
Cleo, Delphi, Ember, Flint, Gale, Heron, Isla, Jasper, Koda, Linnet, Moss, Nova, Otis, Piper, Rune
""")

TITLES = (
    "{brand} {name} {pattern} {material} {kind}",
    "{brand} {feature} {occasion} {kind} - {colour}",
    "{audience} {feature} {material} {kind}, {colour}",
    "{name} {fit} {pattern} {occasion} {kind} in {material}",
    "{brand} {audience} {fit} {pattern} {kind} {colour}",
    "{colour} {pattern} {feature} {material} {kind}",
    "{brand} {audience} {occasion} {kind}, {material}",
    "{feature} {pattern} {kind} {audience} {colour}",
    "{audience} {occasion} {pattern} {kind} by {brand}",
    "{fit} {pattern} {kind} {name} {colour}",
    "{feature} {fit} {material} {kind} | {brand}",
    "{brand} {name} {kind}",
    "{occasion} {kind} {colour} {material} {name}",
    "{colour} {feature} {occasion} {kind}",
)

OPENINGS = (
    "{kind} from the {name} line.",
    "{brand} {kind}, designed to last.",
    "New season {kind}.",
    "The {name} {kind}, back by popular demand.",
    "A {brand} classic {kind}.",
    "Our {name} {kind}.",
)

MATERIAL_LINES = (
    "Made from {material}.",
    "Crafted in {material}.",
    "Main material: {material}.",
    "{material} throughout.",
)

COLOUR_LINES = ("Colour: {colour}.", "{colour} {kind}.", "{kind} in {colour}.")

PAIRING_LINES = (
    "Goes well with {colour} {kind}.",
    "Our model also wears {colour} {kind}, sold separately.",
    "Style it with {feature} {kind}.",
    "Not {feature}, so choose another model for that.",
    "Match it with {pattern} {kind} from the same line.",
)

CARE_LINES = ("", "", "Fits true to size.", "See the label for care.")
