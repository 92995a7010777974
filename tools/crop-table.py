#!/usr/bin/env python3
"""Writes examples/crops/maize.csv and later.csv: the weather of a place, and the yields that FAO's crop model AquaCrop says it gave.

    pip install aquacrop==3.1.0 pandas==3.1.1 numpy==2.4.6
    python3 tools/crop-table.py examples/crops

Nothing of it is drawn at random. Fields and weather are rounded to whole numbers, because a contract posts whole numbers.
"""
import csv
import datetime
import itertools
import multiprocessing
import sys

from aquacrop import AquaCropModel, Crop, InitialWaterContent, Soil
from aquacrop.utils import get_filepath, prepare_weather

CLIMATE = "champion_climate.txt"  # Champion, Nebraska, every day from 1982 to 2018
SOILS = {"SandyLoam": 120, "Loam": 160, "SiltLoam": 200}  # millimetres of water that a metre holds for plants
SOWING = ["04/25", "05/05", "05/15", "05/25"]
MOIST = [40, 60, 80]  # per cent of that water that is there at sowing
INSURED = 2.5  # tonnes of dry grain per hectare
FIRST, LAST, TRAINED = 1982, 2018, 2010  # later years are kept for testing
PERIODS, DAYS = 4, 30
HEAD = ["soil_water", "moist", "sown"] + [f"rain{i + 1}" for i in range(PERIODS)] + [f"heat{i + 1}" for i in range(PERIODS)] + ["failed"]


def seasons(field):
    """The rows of one field, a year each: (year, row, tonnes)."""
    soil, sowing, moist = field
    weather = prepare_weather(get_filepath(CLIMATE))
    profile = Soil(soil)
    held = round(float(profile.profile.th_fc.iloc[0] - profile.profile.th_wp.iloc[0]) * 1000)
    if held != SOILS[soil]:
        sys.exit(f"{soil} holds {held} mm, not {SOILS[soil]}")
    model = AquaCropModel(f"{FIRST}/{sowing}", f"{LAST}/12/30", weather, profile, Crop("Maize", planting_date=sowing),
                          InitialWaterContent(wc_type="Pct", value=[moist]))
    model.run_model(till_termination=True)
    result = model.get_simulation_results()
    daily = weather.set_index("Date")
    rows = []
    for year, tonnes in zip(range(FIRST, LAST + 1), result["Dry yield (tonne/ha)"], strict=True):
        start = datetime.datetime.strptime(f"{year}/{sowing}", "%Y/%m/%d")
        rain, heat = [], []
        for i in range(PERIODS):
            part = daily.loc[start + datetime.timedelta(i * DAYS):start + datetime.timedelta((i + 1) * DAYS - 1)]
            rain.append(round(float(part.Precipitation.sum())))
            heat.append(round(float(part.MaxTemp.mean()) * 10))
        rows.append((year, [held, moist, (start - datetime.datetime(year, 4, 1)).days, *rain, *heat, int(tonnes < INSURED)], float(tonnes)))
    return rows


def main():
    fields = list(itertools.product(SOILS, SOWING, MOIST))
    with multiprocessing.Pool(2) as pool:
        rows = [r for part in pool.map(seasons, fields, chunksize=1) for r in part]
    rows.sort(key=lambda r: r[0])
    for name, chosen in [("maize.csv", [r for r in rows if r[0] <= TRAINED]), ("later.csv", [r for r in rows if r[0] > TRAINED])]:
        with open(f"{sys.argv[1]}/{name}", "w", newline="") as f:
            out = csv.writer(f, lineterminator="\n")
            out.writerow(HEAD)
            out.writerows(r[1] for r in chosen)
        print(name, len(chosen), "rows,", sum(r[1][-1] for r in chosen), "below the insured yield", file=sys.stderr)
    for year in range(FIRST, LAST + 1):
        of = [r[2] for r in rows if r[0] == year]
        print(year, f"{sum(of) / len(of):.1f} t/ha,", sum(t < INSURED for t in of), "of", len(of), "below", file=sys.stderr)


if __name__ == "__main__":
    main()
